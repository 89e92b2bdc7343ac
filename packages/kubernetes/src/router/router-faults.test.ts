import type { Marker } from "@bascule/core";
import { RouterConflict } from "@bascule/engine";
import { beforeAll, describe, expect, it } from "vitest";
import type { Fault } from "../kubernetes-api.fake.ts";
import type { Met } from "./data-planes.fake.ts";
import { routerAbilities } from "./router-abilities.ts";
import { expressible, openScene, soon, successorOf, type RouterScene, type StoredView } from "./router-scene.fake.ts";
import { hostOf, subjects, viewOf, type RouterSubject } from "./router-subjects.fake.ts";
import { openFakeWorld, type FakeRouterWorld } from "./router-world.fake.ts";

/** One call of a router: how the world is before, and what is called. */
interface Call {
  readonly name: string;
  /** Moves traffic on, so that it may be given up. */
  readonly isForward?: boolean;
  /** Gives the marker with which the call is made. */
  arrange(scene: RouterScene): Promise<Marker>;
  act(scene: RouterScene, marker: Marker, signal: AbortSignal): Promise<unknown>;
}

type Intervention = Fault | undefined | Promise<Fault | undefined>;

const faults: readonly Fault[] = ["serverError", "loseAnswer", "changedInBetween"];

/** Some way from the old version to the new one. */
function partWay({ kind }: RouterSubject, { old, next }: RouterScene) {
  return { weights: routerAbilities(kind).weights ? { [old]: 75, [next]: 25 } : { [next]: 100 } };
}

function callsOf(subject: RouterSubject): readonly Call[] {
  const begun = async (scene: RouterScene): Promise<Marker> => {
    await scene.serve(scene.old);
    return scene.begin("t1");
  };
  const onTheWay = async (scene: RouterScene): Promise<Marker> => {
    const marker = await begun(scene);
    await scene.router.shift(partWay(subject, scene), marker, soon());
    return marker;
  };
  const promoted = async (scene: RouterScene): Promise<Marker> => {
    const marker = await onTheWay(scene);
    await scene.router.shift({ weights: { [scene.next]: 100 } }, marker, soon());
    return marker;
  };
  const promote: Call["act"] = ({ router, next }, marker, signal) =>
    router.shift({ weights: { [next]: 100 } }, { ...marker, step: 5 }, signal);
  const restore: Call["act"] = ({ router }, marker, signal) => router.restore(marker.origin, marker, signal);
  const release: Call["act"] = ({ router, next, old }, marker, signal) =>
    router.release(marker, { history: [next, old] }, signal);
  return [
    {
      name: "the first step",
      isForward: true,
      arrange: begun,
      act: (scene, marker, signal) => scene.router.shift(partWay(subject, scene), marker, signal),
    },
    { name: "a switch", isForward: true, arrange: begun, act: promote },
    { name: "the promotion", isForward: true, arrange: onTheWay, act: promote },
    {
      name: "a shift back",
      arrange: promoted,
      act: ({ router, old }, marker, signal) =>
        router.shift({ weights: { [old]: 100 } }, { ...marker, step: 6 }, signal),
    },
    { name: "going back from part of the way", arrange: onTheWay, act: restore },
    { name: "going back from the end", arrange: promoted, act: restore },
    {
      name: "a renewal",
      arrange: onTheWay,
      act: ({ router }, marker, signal) => router.renew({ ...marker, leaseUntilMs: 9_000 }, signal),
    },
    { name: "the release on the way", arrange: onTheWay, act: release },
    { name: "the release at the end", arrange: promoted, act: release },
  ];
}

/** Numbers of Pods are left to the tests of their own router: a split by them takes its time, and many writes. */
const byObjects = subjects.filter(({ kind }) => kind !== "replicas");

/** A world of its own with its scene. */
interface Stage {
  readonly world: FakeRouterWorld;
  readonly scene: RouterScene;
}

async function onStage<Result>(subject: RouterSubject, act: (stage: Stage) => Promise<Result>): Promise<Result> {
  const world = await openFakeWorld();
  try {
    return await act({ world, scene: await openScene(subject, world) });
  } finally {
    await world.close();
  }
}

/** Does something when the request with this number arrives, before it is applied. */
function atRequest(
  { world }: Stage,
  number: number,
  act: () => Intervention,
  isCounted: (method: string) => boolean = () => true,
): void {
  let arrived = 0;
  world.fake.intercept = ({ method }) => (isCounted(method) && arrived++ === number ? act() : undefined);
}

function atWrite(stage: Stage, number: number, act: () => Intervention): void {
  atRequest(stage, number, act, (method) => method !== "GET");
}

async function left({ scene }: Stage): Promise<readonly unknown[]> {
  return (await scene.stored()).map(withoutVersion);
}

describe.each(byObjects)("the router of kind $kind among faults", { timeout: 120_000 }, (subject) => {
  describe.each(callsOf(subject))("in $name", (call) => {
    /** How the call goes when nothing fails: the methods of its requests, what was there when nothing had moved, and what is left. */
    let methods: string[];
    let served: readonly unknown[];
    let expected: readonly unknown[];

    beforeAll(async () => {
      served = await onStage(subject, async (stage) => {
        await stage.scene.serve(stage.scene.old);
        return left(stage);
      });
      await onStage(subject, async (stage) => {
        const marker = await call.arrange(stage.scene);
        methods = [];
        stage.world.fake.intercept = ({ method }) => void methods.push(method);
        await call.act(stage.scene, marker, soon());
        stage.world.fake.intercept = undefined;
        expected = await left(stage);
      });
    });

    const forEach = (numbers: number, act: (number: number, stage: Stage) => Promise<void>) =>
      Promise.all(Array.from({ length: numbers }, (_, number) => onStage(subject, (stage) => act(number, stage))));
    const forEachWrite = (act: (number: number, stage: Stage) => Promise<void>) =>
      forEach(methods.filter((method) => method !== "GET").length, act);

    it.each(faults)("gets through %s at any of its writes", async (fault) => {
      await forEachWrite(async (number, stage) => {
        const marker = await call.arrange(stage.scene);
        atWrite(stage, number, () => fault);
        await call.act(stage.scene, marker, soon());
        expect(await left(stage), `write ${number}`).toEqual(expected);
      });
    });

    it("is refused from the moment at which another run takes over, and changes nothing of what that one finds", async () => {
      const lastWrite = methods.findLastIndex((method) => method !== "GET");
      await forEach(methods.length, async (number, stage) => {
        const { scene } = stage;
        const late = await call.arrange(scene);
        let found: readonly unknown[] | undefined;
        const takeOver = async (): Promise<undefined> => {
          await scene.router.claim(successorOf(late, "t2"), { marker: late, weights: null }, soon());
          found = await scene.stored();
        };
        // Once the router was released, there is nothing to be taken over.
        atRequest(stage, number, () => takeOver().catch(() => undefined));
        const outcome = await call.act(scene, late, soon()).catch((thrown: unknown) => thrown);
        if (!found) {
          expect(call.name).toMatch(/release/);
          return;
        }
        if (number <= lastWrite) expect(outcome, `request ${number}`).toBeInstanceOf(RouterConflict);
        expect(await scene.stored(), `request ${number}`).toEqual(found);
      });
    });

    it("leaves a world that the next run can put back, at whichever write it dies", async () => {
      await forEachWrite(async (number, stage) => {
        const { scene, world } = stage;
        const marker = await call.arrange(scene);
        const dying = new AbortController();
        atWrite(stage, number, () => {
          dying.abort();
          return "loseAnswer";
        });
        await call.act(scene, marker, dying.signal).catch(() => {});
        world.fake.intercept = undefined;
        const { marker: gone } = await scene.router.observe(soon());
        if (!gone) {
          expect(call.name).toMatch(/release/);
          return;
        }
        const settling = successorOf(gone, "t2");
        await scene.router.claim(settling, { marker: gone, weights: null }, soon());
        await scene.router.restore(gone.origin, settling, soon());
        await scene.router.release(settling, undefined, soon());
        expect(await left(stage), `write ${number}`).toEqual(served);
        expect(await scene.meet(), `write ${number}`).toEqual({ [scene.old]: 100 });
      });
    });

    if (call.isForward) {
      it("is refused when it was given up and arrives after everything went back", async () => {
        await forEachWrite(async (number, stage) => {
          const { scene } = stage;
          const marker = await call.arrange(scene);
          const givenUp = new AbortController();
          let deliver = () => {};
          atWrite(stage, number, () => {
            givenUp.abort();
            return new Promise((resolve) => (deliver = () => resolve(undefined)));
          });
          await expect(call.act(scene, marker, givenUp.signal)).rejects.toThrow();
          await scene.router.restore(marker.origin, marker, soon());
          const restored = await scene.stored();
          deliver();
          await new Promise(setImmediate);
          expect(await scene.stored(), `write ${number}`).toEqual(restored);
          await scene.router.release(marker, undefined, soon());
          expect(await left(stage), `write ${number}`).toEqual(served);
        });
      });
    }
  });

  it("serves clients at every moment, by versions that are ready", () =>
    onStage(subject, async ({ scene, world: { fake } }) => {
      await scene.serve(scene.old);
      const { place, old, next, router } = scene;
      const seen: Met[] = [];
      const { onChange } = fake;
      fake.onChange = (request) => {
        onChange?.(request);
        seen.push(subject.meet(viewOf(fake.objects), place, { host: hostOf(place) }));
      };
      const ways = expressible(subject.kind, old, next).map(([, traffic]) => traffic);
      for (const [index, traffic] of [...ways, ...ways.toReversed()].entries()) {
        const marker = await scene.begin(`t${index}`);
        await router.shift(traffic, marker, soon());
        if (index % 3 === 0) await router.shift({ weights: { [next]: 100 } }, marker, soon());
        if (index % 2 === 0) await router.restore(marker.origin, marker, soon());
        await router.release(marker, undefined, soon());
      }
      expect(seen.length).toBeGreaterThan(ways.length * 4);
      for (const met of seen) {
        expect(Object.keys(met).length, "somebody answers").toBeGreaterThan(0);
        expect([old, next], "who is ready").toEqual(expect.arrayContaining(Object.keys(met)));
      }
    }));
});

/** An object without what differs between two worlds. */
function withoutVersion(object: StoredView | undefined): unknown {
  if (!object) return undefined;
  const { metadata, ...rest } = object;
  const { resourceVersion: _version, uid: _uid, ...kept } = metadata;
  return { ...rest, metadata: kept };
}
