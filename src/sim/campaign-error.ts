/**
 * Campaign error: what a campaign says to bad use.
 *
 * @module
 */

/** A property, a plan or options make no sense; the message says what and where. */
export class CampaignError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CampaignError";
  }
}
