const tests = "\\.test\\.ts$";
/** Tests without a subject of their own: what they are run against comes from whoever imports them. */
const contracts = "-contract\\.ts$";

/** What a package's published code may import of this repository, beside itself. */
const allowed = {
  core: [],
  engine: ["core"],
  probes: ["core", "engine"],
  mirror: ["core"],
  pulumi: ["core", "engine"],
  kubernetes: ["core", "engine", "probes", "mirror", "pulumi"],
};

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    ...Object.entries(allowed).map(([name, others]) => ({
      name: `${name}-imports-${others.length === 0 ? "none-of-ours" : others.join("-")}`,
      comment: "The direction is core ← engine ← pulumi ← platform, and no platform knows another.",
      severity: "error",
      from: { path: `^packages/${name}/` },
      to: { path: "^(packages|test|stacks|examples)/", pathNot: `^packages/(${[name, ...others].join("|")})/` },
    })),
    {
      name: "every-package-has-its-rule",
      comment: "A new package says in `allowed` what it may import.",
      severity: "error",
      from: { path: "^packages/", pathNot: `^packages/(${Object.keys(allowed).join("|")})/` },
      to: {},
    },
    {
      name: "core-is-pure",
      comment: "The domain reads no clock, file or network; it hashes, and that is all it takes from Node.",
      severity: "error",
      from: { path: "^packages/core/", pathNot: tests },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?crypto$" },
    },
    {
      name: "only-pulumi-and-platforms-know-pulumi",
      severity: "error",
      from: { path: "^packages/(core|engine|probes|mirror)/" },
      to: { path: "(^|/)@pulumi/" },
    },
    {
      name: "only-a-platform-knows-its-client",
      severity: "error",
      from: { path: "^packages/", pathNot: "^packages/kubernetes/" },
      to: { path: "(^|/)@(kubernetes/client-node|pulumi/kubernetes)" },
    },
    {
      name: "only-tests-import-tests",
      comment: "The rig, the tests and the stacks stand on the packages, never the other way round.",
      severity: "error",
      from: { pathNot: "^(test|stacks|examples)/" },
      to: { path: "^(test|stacks|examples)/" },
    },
    {
      name: "packages-are-entered-by-their-front-door",
      comment: "What others may use of a package stands in the exports of its package.json.",
      severity: "error",
      from: { path: "^(packages/[^/]+|test|stacks|examples|docs)/" },
      // The tests that belong to no package have no dependencies to declare, and take the sources of the entry point.
      to: { path: "^packages/[^/]+/src/", pathNot: ["^$1/", "/src/index\\.ts$", contracts] },
    },
    {
      name: "no-test-is-imported",
      severity: "error",
      from: {},
      to: { path: tests },
    },
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-unresolved-imports",
      comment: "What a package.json does not declare is not installed where its code could find it.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "published-code-stands-without-development-dependencies",
      comment: "A package's user does not get them.",
      severity: "error",
      from: { path: "^packages/[^/]+/src/", pathNot: [tests, contracts, "\\.fake\\.ts$"] },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm", "npm-peer", "type-only"] },
    },
  ],
  options: {
    // One package sees another as its users do: built.
    doNotFollow: { path: "(^|/)(node_modules|dist)/" },
    // Development dependencies stand in the root's package.json too.
    combinedDependencies: true,
    exclude: { path: "(^|/)(coverage|\\.bascule)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".js", ".json"],
    },
  },
};
