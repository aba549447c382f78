// Makes edge/profiles/profile.schema.json from the schema of edge/src/profiles: npm run build, then
//   node tools/profile-schema.mjs, then npm run format
// A test compares the file with the schema.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { profileJsonSchema } from '../edge/dist/profiles/json-schema.js';
import { refuseArguments } from './script.mjs';

refuseArguments('tools/profile-schema.mjs', process.argv.slice(2));

const file = fileURLToPath(new URL('../edge/profiles/profile.schema.json', import.meta.url));
writeFileSync(file, `${JSON.stringify(profileJsonSchema(), null, 2)}\n`);
