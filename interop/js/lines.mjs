// What the Go side tells a script is one JSON value on stdin; what a script answers is one JSON value a line.
import { text } from 'node:stream/consumers';

export const input = JSON.parse(await text(process.stdin));

let lines = 0;

export function line(value) {
  lines++;
  process.stdout.write(JSON.stringify(value) + '\n');
}

// end says how many lines there were, so that none is left out unseen.
export const end = () => process.stdout.write(JSON.stringify({ end: lines }) + '\n');

// check reports one check under its name: it failed when f throws.
export async function check(name, f) {
  try {
    await f();
    line({ check: name });
  } catch (err) {
    line({ check: name, error: describe(err) });
  }
}

export function describe(err) {
  const codes = err?.errors?.map?.(e => `${e.code}: ${e.longMessage ?? e.message}`) ?? [];
  return [err?.status, err?.stack ?? String(err), ...codes].filter(Boolean).join('\n');
}
