import type * as pulumi from "@pulumi/pulumi";

/** A provider as Pulumi calls it; it need not have every method. */
type Provider = Omit<Partial<pulumi.dynamic.ResourceProvider>, "configure">;

const ownText = "__provider";

/**
 * The provider of a {@link ThinResource}: hands each resource on as one flat record, and keeps what comes back under `spec` and
 * `status`.
 *
 * @param outputs the names of the properties that the behaviour adds: they are the status, all others the spec
 */
export function thinProvider(behaviour: Provider, outputs: ReadonlySet<string>): Provider {
  const { check, diff, create, read, update, delete: remove } = behaviour;
  /** What stood beside the text stays there, because Pulumi knows by its place what is secret. */
  const nested = (flatOnes: unknown, like: unknown): Record<string, unknown> => {
    const { [ownText]: text, ...properties } = asRecord(flatOnes);
    const entries = Object.entries(properties);
    const beside = asRecord(asRecord(like)["spec"]);
    const declared = entries.filter(([name]) => !outputs.has(name) && !(name in beside));
    return {
      spec: {
        declared: JSON.stringify(Object.fromEntries(declared)),
        ...Object.fromEntries(entries.filter(([name]) => name in beside)),
      },
      status: Object.fromEntries(entries.filter(([name]) => outputs.has(name))),
      ...(text === undefined ? {} : { [ownText]: text }),
    };
  };
  /** What Pulumi is to keep of a failure goes the same way as what it keeps of a success. */
  const nestedFailure = (thrown: unknown, like: unknown): unknown =>
    thrown instanceof Error && "properties" in thrown
      ? Object.assign(thrown, { properties: nested(thrown.properties, like) })
      : thrown;

  return {
    ...(check && {
      check: async (olds: unknown, news: unknown) => {
        const { failures = [] } = await check(flat(olds), flat(news));
        const named = failures.map(({ property, reason }) => ({ property: `spec.${property}`, reason }));
        return { inputs: news, failures: named };
      },
    }),
    ...(diff && {
      diff: async (id: string, olds: unknown, news: unknown) => {
        const { replaces = [], ...result } = await diff(id, flat(olds), flat(news));
        return { ...result, replaces: replaces.length > 0 ? ["spec"] : [] };
      },
    }),
    ...(create && {
      create: async (news: unknown) => {
        try {
          const result = await create(flat(news));
          return { id: result.id, outs: nested(result.outs, news) };
        } catch (thrown) {
          throw nestedFailure(thrown, news);
        }
      },
    }),
    ...(read && {
      read: async (id: string, props: unknown) => {
        const found = await read(id, flat(props));
        return found.props === undefined ? found : { ...found, props: nested(found.props, props) };
      },
    }),
    ...(update && {
      update: async (id: string, olds: unknown, news: unknown) => {
        try {
          const result = await update(id, flat(olds), flat(news));
          return { outs: nested(result.outs, news) };
        } catch (thrown) {
          throw nestedFailure(thrown, news);
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

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
