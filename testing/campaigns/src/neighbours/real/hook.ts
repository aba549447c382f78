import { registerHooks } from 'node:module';
import { SABOTAGES, sabotaged } from './sabotages.js';

/** Loaded before a service by NODE_OPTIONS: removes the limit that GTX_SABOTAGE names. */
const { changes = [] } = SABOTAGES[process.env.GTX_SABOTAGE ?? ''] ?? {};
registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const ours = changes.filter(({ module }) => url.endsWith(`/${module}`));
    if (ours.length === 0) return loaded;
    const text =
      typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString('utf8');
    return { ...loaded, source: sabotaged(text, ours) };
  },
});
