import { BasculeError, parseInput } from "@bascule/core";
import { mirrorOptionsSchema, type MirrorSettings } from "../options.ts";

/**
 * Reads what the mirror is told from the environment.
 *
 * @throws BasculeError `invalid-input`: every wrong field, its value and the remedy
 */
export function readSettings({ BASCULE_MIRROR: text }: NodeJS.ProcessEnv): MirrorSettings {
  const example = '{"primary":"http://web-3f9ac2.shop:8080","shadow":"http://web-77df0c.shop:8080"}';
  if (text === undefined || text === "") {
    throw new BasculeError("invalid-input", `BASCULE_MIRROR is missing: set it to JSON such as ${example}.`);
  }
  return parseInput(mirrorOptionsSchema, parseJson(text, example), "BASCULE_MIRROR");
}

function parseJson(text: string, example: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BasculeError("invalid-input", `BASCULE_MIRROR is not JSON: set it to JSON such as ${example}.`, {
      cause,
    });
  }
}
