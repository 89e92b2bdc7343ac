import * as pulumi from "@pulumi/pulumi";

/** Where the behaviour of a thin resource is found at run time. */
export interface ThinProvider {
  /** What to import, from the user's project: a public subpath of a package that the user depends on directly. */
  readonly module: string;
  /** The name of its export. */
  readonly name: string;
  /** The methods that it has. */
  readonly methods: readonly (keyof pulumi.dynamic.ResourceProvider)[];
}

/**
 * A dynamic resource of which Pulumi keeps next to no code, and two properties: `spec`, which is what the program declares, and
 * `status`, which is what came of it. What is plain of the spec is JSON text under `declared`; what holds outputs, which may be secret or
 * not known yet, stands beside it as it is.
 *
 * That keeps large stacks fast. `pulumi.dynamic.Resource` would serialise its provider, for which it loads a TypeScript compiler and a
 * debugger in every program; the text that comes out can as well be written down. For each property of each resource Pulumi's SDK makes
 * four promises that remember their stack, and for each value in them, at any depth, its engine writes a line of its log some eight
 * times. Previews show a text of JSON by its fields all the same.
 */
export abstract class ThinResource<Status> extends pulumi.CustomResource {
  /** What came of it; not known before the first update. */
  declare readonly status: pulumi.Output<Status>;

  protected constructor(
    type: string,
    provider: ThinProvider,
    name: string,
    spec: pulumi.Inputs,
    options: pulumi.CustomResourceOptions,
  ) {
    const entries = Object.entries(spec).filter(([, value]) => value !== undefined);
    const declared = JSON.stringify(Object.fromEntries(entries.filter(([, value]) => isPlain(value))));
    const kept = { declared, ...Object.fromEntries(entries.filter(([, value]) => !isPlain(value))) };
    const properties = { spec: kept, status: undefined, __provider: providerText(provider) };
    super(`pulumi-nodejs:dynamic/bascule:${type}`, name, properties, options);
  }
}

function isPlain(value: unknown): boolean {
  if (pulumi.Output.isInstance(value) || value instanceof Promise) return false;
  return typeof value !== "object" || value === null || Object.values(value).every(isPlain);
}

/**
 * The text that Pulumi keeps in the state, and evaluates for each operation. It holds no code but what loads ours, so that it stays the
 * same when our version changes.
 */
function providerText({ module, name, methods }: ThinProvider): string {
  const call = `async (...values) => (await import(${JSON.stringify(module)})).${name}[method](...values)`;
  return `exports.handler = () => Object.fromEntries(${JSON.stringify(methods)}.map((method) => [method, ${call}]));`;
}
