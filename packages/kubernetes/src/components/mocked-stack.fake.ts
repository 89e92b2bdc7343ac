import * as pulumi from "@pulumi/pulumi";

/** A resource that a program has registered. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  /** Of our own resources, what they declare. */
  readonly inputs: Readonly<Record<string, unknown>>;
}

const ownTypes = "pulumi-nodejs:dynamic/bascule:";
export const deploymentType = "kubernetes:apps/v1:Deployment";
export const cutoverType = "pulumi-nodejs:dynamic/bascule:Cutover";

/** A stack that makes nothing, and remembers what was registered. */
export interface MockedStack {
  readonly registered: readonly Registered[];
  /** Those of one type, once everything that was declared is registered. */
  ofType(type: string): Promise<readonly Registered[]>;
}

/** Begins a stack of this name, which the components of this process then belong to. */
export async function mockStack(stack: string): Promise<MockedStack> {
  const registered: Registered[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs: given }) => {
        const inputs = { ...(given as Registered["inputs"]) };
        if (!type.startsWith(ownTypes)) {
          registered.push({ type, name, inputs });
          return { id: name, state: inputs };
        }
        registered.push({ type, name, inputs: { ...inputs, ...declaredIn(inputs["spec"] as Registered["inputs"]) } });
        const status = { details: { address: "10.96.0.7:80" }, journal: "journal.jsonl", weights: {} };
        return { id: name, state: { ...inputs, status } };
      },
      call: () => ({}),
    },
    "project",
    stack,
  );
  return {
    registered,
    ofType: async (type) => {
      await pulumi.runtime.disconnect();
      return registered.filter((resource) => resource.type === type);
    },
  };
}

/** A property that holds a secret comes in an envelope. */
function declaredIn(spec: Registered["inputs"]): Registered["inputs"] {
  const { declared, ...structured } = "value" in spec ? (spec["value"] as Registered["inputs"]) : spec;
  return { ...(JSON.parse(String(declared)) as Registered["inputs"]), ...structured };
}
