/**
 * The value in a text of JSON. Throws `RangeError` that tells nothing of the text: the engine's own words quote ten
 * characters of it, which may belong to a secret when the wrong file was named.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RangeError('is not JSON');
  }
}
