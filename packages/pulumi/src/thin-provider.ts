import type * as pulumi from "@pulumi/pulumi";

/** A provider as Pulumi calls it; it need not have every method. */
type Provider = Omit<Partial<pulumi.dynamic.ResourceProvider>, "configure">;

const ownText = "__provider";

/** How the properties of a resource are kept, by their names. */
export interface ThinProperties {
  /** Those that the behaviour adds: they are the status, all others the spec. */
  readonly outputs: ReadonlySet<string>;
  /** Those of the spec that are not part of its text; see `ThinProvider`. */
  readonly structured: readonly string[];
}

/**
 * The provider of a {@link ThinResource}: hands each resource on as one flat record, and keeps what comes back under `spec` and
 * `status`.
 */
export function thinProvider(behaviour: Provider, { outputs, structured }: ThinProperties): Provider {
  const { check, diff, create, read, update, delete: remove } = behaviour;
  const nested = (flat: unknown): Record<string, unknown> => {
    const { [ownText]: text, ...properties } = asRecord(flat);
    const entries = Object.entries(properties);
    const declared = entries.filter(([name]) => !outputs.has(name) && !structured.includes(name));
    return {
      spec: {
        declared: JSON.stringify(Object.fromEntries(declared)),
        ...Object.fromEntries(entries.filter(([name]) => structured.includes(name))),
      },
      status: Object.fromEntries(entries.filter(([name]) => outputs.has(name))),
      ...(text === undefined ? {} : { [ownText]: text }),
    };
  };
  /** What Pulumi is to keep of a failure goes the same way as what it keeps of a success. */
  const nestedFailure = (thrown: unknown): unknown =>
    thrown instanceof Error && "properties" in thrown
      ? Object.assign(thrown, { properties: nested(thrown.properties) })
      : thrown;

  return {
    ...(check && {
      check: async (olds: unknown, news: unknown) => {
        // What the update makes known is checked then.
        if (isUnknown(news)) return { inputs: news, failures: [] };
        const { failures = [] } = await check(flat(olds), flat(news));
        const named = failures.map(({ property, reason }) => ({ property: `spec.${property}`, reason }));
        return { inputs: news, failures: named };
      },
    }),
    ...(diff && {
      diff: async (id: string, olds: unknown, news: unknown) => {
        if (isUnknown(news)) return { changes: true };
        const { replaces = [], ...result } = await diff(id, flat(olds), flat(news));
        return { ...result, replaces: replaces.length > 0 ? ["spec"] : [] };
      },
    }),
    ...(create && {
      create: async (news: unknown) => {
        try {
          const result = await create(flat(news));
          return { id: result.id, outs: nested(result.outs) };
        } catch (thrown) {
          throw nestedFailure(thrown);
        }
      },
    }),
    ...(read && {
      read: async (id: string, props: unknown) => {
        const found = await read(id, flat(props));
        return found.props === undefined ? found : { ...found, props: nested(found.props) };
      },
    }),
    ...(update && {
      update: async (id: string, olds: unknown, news: unknown) => {
        try {
          const result = await update(id, flat(olds), flat(news));
          return { outs: nested(result.outs) };
        } catch (thrown) {
          throw nestedFailure(thrown);
        }
      },
    }),
    ...(remove && { delete: (id: string, props: unknown) => remove(id, flat(props)) }),
  };
}

function flat(properties: unknown): Record<string, unknown> {
  const { spec, status, ...others } = asRecord(properties);
  const { declared, ...structured } = asRecord(spec);
  return { ...others, ...fieldsIn(declared), ...structured, ...asRecord(status) };
}

function fieldsIn(declared: unknown): Record<string, unknown> {
  return typeof declared === "string" ? asRecord(JSON.parse(declared)) : {};
}

/** How the engine writes a value that a preview does not know yet. */
const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

function isUnknown(properties: unknown): boolean {
  const { spec } = asRecord(properties);
  return spec === unknownValue || asRecord(spec)["declared"] === unknownValue;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
