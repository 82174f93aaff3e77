/**
 * Campaigns: all properties under which colos itself runs in the simulator.
 *
 * @module
 */
import type { Campaign } from "./campaign.ts";
import { carriers } from "./carriers.ts";
import { mailboxes } from "./mailboxes.ts";
import { nameCampaign } from "./names.ts";
import { servers } from "./servers.ts";
import { signals } from "./signals.ts";
import { stateMachines } from "./state-machines.ts";
import { supervisors } from "./supervisors.ts";
import { timers } from "./timers.ts";

export const campaigns: readonly Campaign[] = [
  signals,
  carriers,
  nameCampaign,
  mailboxes,
  timers,
  servers,
  stateMachines,
  supervisors,
];
