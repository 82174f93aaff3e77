/**
 * Campaigns: all properties under which colos itself runs in the simulator.
 *
 * @module
 */
import type { Campaign } from "./campaign.ts";
import { carried } from "./carried.ts";
import { carriers } from "./carriers.ts";
import { crossing } from "./crossing.ts";
import { dynamicSupervisors } from "./dynamic-supervisors.ts";
import { groups } from "./groups.ts";
import { mailboxes } from "./mailboxes.ts";
import { nameCampaign } from "./names.ts";
import { reference } from "./reference.ts";
import { registries } from "./registries.ts";
import { servers } from "./servers.ts";
import { signals } from "./signals.ts";
import { stateMachines } from "./state-machines.ts";
import { streams } from "./streams.ts";
import { supervisors } from "./supervisors.ts";
import { timers } from "./timers.ts";

export const campaigns: readonly Campaign[] = [
  signals,
  crossing,
  carriers,
  carried,
  nameCampaign,
  mailboxes,
  timers,
  servers,
  stateMachines,
  supervisors,
  dynamicSupervisors,
  registries,
  groups,
  streams,
  reference({ durationMs: 3_000 }),
];
