import { globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";
import * as pulumi from "@pulumi/pulumi";
import ts from "typescript";
import { afterAll, describe, expect, it } from "vitest";
import * as scenes from "../../../docs/timelines/scenes.ts";
import { planOf, planRings } from "@bascule/core";
import { cutoverType, mockStack } from "./components/mocked-stack.fake.ts";
import { routerAbilities } from "./router/router-abilities.ts";
import { routerShapeSchema } from "./router/router-shape.ts";

const root = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

/** A piece of a program that a document shows. */
interface Example {
  /** For example `docs/strategies/direct.md:12`. */
  readonly place: string;
  readonly document: string;
  readonly code: string;
}

const examples = ["README.md", ...globSync("docs/**/*.md", { cwd: fileURLToPath(root) })].flatMap(examplesIn);

function examplesIn(document: string): Example[] {
  const text = read(document);
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(({ index, 1: code = "" }) => ({
    place: `${document}:${text.slice(0, index).split("\n").length + 1}`,
    document,
    code,
  }));
}

afterAll(() => pulumi.runtime.disconnect());

describe("an example in the documents", () => {
  it("passes the type check that a user's program passes", () => {
    expect(typeErrors(examples)).toEqual([]);
  }, 180_000);

  it.each(examples)(
    "$place makes its resources in a stack of production",
    async ({ code }) => {
      await mockStack("prod");
      expect(() => run(code)).not.toThrow();
      await pulumi.runtime.disconnect();
    },
    60_000,
  );
});

describe("the pictures and previews of a strategy", () => {
  const pages = [
    ["direct.md", [scenes.direct]],
    ["blue-green.md", [scenes.blueGreen, scenes.blueGreenApproved]],
    ["progressive.md", [scenes.progressive, scenes.progressiveByPods, scenes.progressivePaused]],
    ["parallel.md", [scenes.parallel, scenes.parallelWithData]],
  ] as const;

  it.each(pages)("of %s are those of the examples on its page", async (page, shown) => {
    const plans = await plansOf(examples.filter(({ document }) => document === `docs/strategies/${page}`));
    for (const { strategy, updates } of shown) {
      // What a later update adds is its approval, which the page shows as a difference.
      expect(plans).toContainEqual(planOf(strategy, updates[0]?.options));
    }
  });
});

it("the picture of rings is that of the example on its page", () => {
  const { targets, options } = scenes.ringsThatPass;
  const shown = examples.filter(({ document }) => document === "docs/strategies/rings.md").map(({ code }) => run(code));
  const ids = Array.from({ length: targets }, (_, index) => ({ id: `host-${index + 1}` }));
  expect(shown.map(({ plan }) => plan)).toContainEqual(planRings(ids, options));
});

describe("the table of routers", () => {
  it("says what each of them can do", () => {
    const yesOrNo = (isAble: boolean) => (isAble ? "yes" : "no");
    for (const { shape } of routerShapeSchema.options) {
      const kind = shape.kind.value;
      const { weights, matches, mirror, affinity } = routerAbilities(kind);
      const cells = [`\`${kind}\``, ...[weights, matches, mirror, affinity].map(yesOrNo)];
      const rows = read("docs/routers.md")
        .split("\n")
        .map((line) => line.split("|").map((cell) => cell.trim()))
        .filter((row) => row.includes(cells[0] ?? ""));
      expect(rows.map((row) => row.slice(2, 7))).toEqual([cells]);
    }
  });
});

/** The plans of the cut-overs that examples declare. */
async function plansOf(shown: readonly Example[]): Promise<unknown[]> {
  const plans: unknown[] = [];
  for (const { code } of shown) {
    const stack = await mockStack("prod");
    run(code);
    const cutovers = await stack.ofType(cutoverType);
    plans.push(...cutovers.map(({ inputs }) => inputs["plan"]));
  }
  return plans;
}

/** Runs a program as Pulumi runs one that is not an ES module, with the packages as they are published; gives what it exports. */
function run(code: string): Readonly<Record<string, unknown>> {
  const secrets = [...code.matchAll(/stackSecret\("(\w+)"\)/g)].map(([, key = ""]) => `project:${key}`);
  pulumi.runtime.setAllConfig(Object.fromEntries(secrets.map((key) => [key, "a secret"])), secrets);
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2024 },
  });
  const load: unknown = compileFunction(outputText, ["require", "exports"]);
  if (typeof load !== "function") throw new TypeError("The program was not compiled.");
  const exported = {};
  Reflect.apply(load, undefined, [createRequire(import.meta.url), exported]);
  return exported;
}

/** What the compiler says of the examples, which stand in memory beside this file. */
function typeErrors(shown: readonly Example[]): string[] {
  const files = new Map(
    shown.map((example, index) => [fileURLToPath(new URL(`example-${index}.ts`, import.meta.url)), example]),
  );
  const { config } = ts.readConfigFile(fileURLToPath(new URL("tsconfig.base.json", root)), (path) =>
    ts.sys.readFile(path),
  ) as {
    config: { compilerOptions: unknown };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, fileURLToPath(root));
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram({
    rootNames: [...files.keys()],
    options: {
      ...options,
      noEmit: true,
      rewriteRelativeImportExtensions: false,
      moduleDetection: ts.ModuleDetectionKind.Force,
    },
    host: {
      ...host,
      fileExists: (path) => files.has(path) || host.fileExists(path),
      readFile: (path) => files.get(path)?.code ?? host.readFile(path),
      getSourceFile: (path, language, onError, isNew) => {
        const code = files.get(path)?.code;
        if (code === undefined) return host.getSourceFile(path, language, onError, isNew);
        return ts.createSourceFile(path, code, language, true);
      },
    },
  });
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const place = file && files.get(file.fileName)?.place;
    return `${place ?? file?.fileName ?? "the project"}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
}
