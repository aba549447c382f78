import type { Campaign } from './campaign.js';

/** All campaigns, each loaded only when it is run. */
const CATALOGUE: Readonly<Record<string, () => Promise<Campaign>>> = {
  attacks: async () => (await import('./neighbours/real/attacks.js')).attacksCampaign,
  availability: async () => (await import('./availability/index.js')).availabilityCampaign,
  chain: async () => (await import('./chain/index.js')).chainCampaign,
  glitches: async () => (await import('./glitches/index.js')).glitchesCampaign,
  kill: async () => (await import('./kill/index.js')).killCampaign,
  ledger: async () => (await import('./ledger/index.js')).ledgerCampaign,
  neighbours: async () => (await import('./neighbours/index.js')).neighboursCampaign,
  misattribution: async () => (await import('./misattribution/index.js')).misattributionCampaign,
  time: async () => (await import('./time/index.js')).timeCampaign,
  spool: async () => (await import('./spool/index.js')).spoolCampaign,
  'neighbours-real': async () => (await import('./neighbours/real/index.js')).neighboursRealCampaign,
};

export const campaignNames: readonly string[] = Object.keys(CATALOGUE);

/** Returns a campaign by its name; rejects for an unknown name. */
export function loadCampaign(name: string): Promise<Campaign> {
  const load = Object.hasOwn(CATALOGUE, name) ? CATALOGUE[name] : undefined;
  if (!load) return Promise.reject(new Error(`no campaign "${name}": there is ${campaignNames.join(', ')}`));
  return load();
}
