import fc from "fast-check";
import { expect, it } from "vitest";
import {
  makeParity,
  parityBytes,
  repair,
} from "../../../../src/storage/text-codec/prime-parity.ts";

const files = fc.uint8Array({ minLength: 1, maxLength: 2000 });

it("repairs any change within a sixteenth of a file, and nothing that it can't", () => {
  fc.assert(
    fc.property(files, fc.nat(), fc.integer({ min: 1, max: 255 }), (file, place, flip) => {
      const parity = makeParity(file);
      expect(parity.length).toBe(parityBytes(file.length));
      const length = Math.ceil(file.length / 16);
      const stripe = place % Math.ceil(file.length / length);
      const damaged = file.slice();
      for (let at = stripe * length; at < Math.min(file.length, (stripe + 1) * length); at++)
        damaged[at]! ^= flip;
      expect(repair(damaged, file.length, parity)).toEqual(file);
      if (file.length < 2 * length) return;
      damaged[((stripe + 1) * length) % file.length]! ^= flip;
      // A last stripe's neighbour is the first one.
      expect(repair(damaged, file.length, parity)).toBeNull();
    }),
  );
});

it("gives back the end of a file that was cut off, up to a sixteenth", () => {
  fc.assert(
    fc.property(files, fc.nat(), (file, cut) => {
      const length = Math.ceil(file.length / 16);
      const last = file.length - (Math.ceil(file.length / length) - 1) * length;
      const damaged = file.subarray(0, file.length - (cut % (last + 1)));
      expect(repair(damaged, file.length, makeParity(file))).toEqual(file);
    }),
  );
});

it("doesn't use a parity that is damaged itself", () => {
  fc.assert(
    fc.property(files, fc.nat(), fc.integer({ min: 1, max: 255 }), (file, place, flip) => {
      const parity = makeParity(file);
      parity[place % parity.length]! ^= flip;
      expect(repair(file, file.length, parity)).toBeNull();
      expect(repair(file, file.length, parity.subarray(1))).toBeNull();
    }),
  );
});
