import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { drawPictures } from "../docs/timelines/pictures.ts";
import { measuring, recordRelease } from "../docs/timelines/recording.ts";
import * as scenes from "../docs/timelines/scenes.ts";
import { probeDefaults } from "../packages/engine/src/index.ts";

const root = new URL("../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

describe("a picture of a strategy", () => {
  it.each(Object.entries(drawPictures()))("%s is what its release does now (pnpm pictures draws it)", (name, drawn) => {
    expect(read(`docs/strategies/${name}`)).toBe(drawn);
  });

  it("gives measuring the time that it takes by default", () => {
    const { candidate, service } = probeDefaults;
    expect(measuring).toEqual({ candidate, service });
  });
});

describe("the preview that a page shows", () => {
  const pages = [
    ["README.md", [scenes.progressivePaused]],
    ["direct.md", [scenes.direct]],
    ["blue-green.md", [scenes.blueGreen, scenes.blueGreenApproved]],
    ["progressive.md", [scenes.progressive, scenes.progressivePaused]],
    ["parallel.md", [scenes.parallel, scenes.parallelWithData]],
  ] as const;

  it.each(pages)("is what the preview says: %s", (page, shown) => {
    const recordings = shown.map(recordRelease);
    const previews = recordings.flatMap((recording) => [...recording.previews, ...recording.revertPreviews]);
    const printed = previewsIn(`docs/strategies/${page}`);
    expect(printed.length).toBeGreaterThan(0);
    // A preview may be shown by its beginning.
    for (const text of printed)
      expect(previews.filter((preview) => `${preview}\n`.startsWith(`${text}\n`))).toHaveLength(1);
  });
});

function previewsIn(path: string): string[] {
  const blocks = [...read(path).matchAll(/^( *)```text\n( *Cut-over of [\s\S]*?)\n *```$/gm)];
  return blocks.map(([, indent = "", text = ""]) => text.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
}

describe("a document", () => {
  const documents = ["README.md", "CONTRIBUTING.md", ...globSync("docs/**/*.md", { cwd: fileURLToPath(root) })];

  it.each(documents)("%s leads to files and headings that are there", (document) => {
    const links = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
    const missing = links.filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(target, document));
    expect(missing).toEqual([]);
  });
});

function leadsSomewhere(target: string, document: string): boolean {
  const [path = "", heading] = target.split("#");
  const file = path === "" ? new URL(document, root) : new URL(path, new URL(document, root));
  if (!existsSync(file)) return false;
  if (heading === undefined) return true;
  const headings = [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, words = ""]) => anchorOf(words));
  return headings.includes(heading);
}

/** As GitHub makes them. */
function anchorOf(words: string): string {
  return words
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
