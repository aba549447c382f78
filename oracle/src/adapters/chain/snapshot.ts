const TIMEOUT_MS = 30_000;

/** Has the embedded chain take a snapshot; its slot. Rejects with what the chain answered, or when it does not. */
export async function postSnapshot(url: string): Promise<number> {
  const response = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(TIMEOUT_MS) });
  const answer = (await response.json()) as { slot?: unknown; error?: unknown };
  if (!response.ok || typeof answer.slot !== 'number') throw new Error(String(answer.error ?? response.status));
  return answer.slot;
}
