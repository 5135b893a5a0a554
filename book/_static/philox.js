// Counter-based randomness for the live figures: lltd/philox.py, number for number, so that a run has the same
// noise in the page and in Python. Philox4x32-10 of Salmon, Moraes, Dror & Shaw 2011.
window.lltd ??= {};
lltd.philox = (() => {
  const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57];
  const WEYL = [0x9e3779b9, 0xbb67ae85];
  const ROUNDS = 10;
  const Purpose = Object.freeze({ INITIAL: 0, NOISE: 1, TEST: 2, RESAMPLE: 3, TASK: 4, SEARCH: 5 });

  // The upper 32 bits of the product of two 32-bit words, from products of halves, which a double holds exactly.
  function upper(a, b) {
    const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
    const middle = a1 * b0 + ((a0 * b0) >>> 16);
    const other = a0 * b1 + (middle & 0xffff);
    return (a1 * b1 + (middle >>> 16) + (other >>> 16)) >>> 0;
  }

  // counter: four words, key: two words, all in [0, 2^32). Returns four words.
  function philox4x32(counter, key) {
    let [c0, c1, c2, c3] = counter;
    let [k0, k1] = key;
    for (let round = 0; round < ROUNDS; round++) {
      const [high0, high1] = [upper(c0, MULTIPLIERS[0]), upper(c2, MULTIPLIERS[1])];
      const [low0, low1] = [Math.imul(c0, MULTIPLIERS[0]), Math.imul(c2, MULTIPLIERS[1])];
      [c0, c1, c2, c3] = [high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0].map((word) => word >>> 0);
      [k0, k1] = [(k0 + WEYL[0]) >>> 0, (k1 + WEYL[1]) >>> 0];
    }
    return [c0, c1, c2, c3];
  }

  // The two words of an integer in [0, 2^63), low one first; beyond 2^53 it must come as a BigInt.
  function words(name, number) {
    const exact = typeof number === "bigint" || Number.isSafeInteger(number);
    if (!exact || number < 0 || number >= 2n ** 63n)
      throw new RangeError(`${name} is ${number}: an integer in [0, 2^63) is needed`);
    return [Number(BigInt.asUintN(32, BigInt(number))), Number(BigInt(number) >> 32n)];
  }

  // Four random words at the address (seed, id, step, purpose).
  function block(seed, id, step, purpose) {
    for (const [name, word] of Object.entries({ step, purpose }))
      if (!(Number.isInteger(word) && 0 <= word && word < 2 ** 32))
        throw new RangeError(`${name} is ${word}: an integer in [0, 2^32) is needed`);
    return philox4x32([...words("id", id), step, purpose], words("seed", seed));
  }

  // Four uniform numbers in (0, 1).
  const uniform = (...address) => block(...address).map((word) => ((word >>> 9) + 0.5) * 2 ** -23);

  // Four standard normal numbers, by Box & Muller 1958.
  function normal(...address) {
    const u = uniform(...address);
    return [0, 2].flatMap((first) => {
      const radius = Math.sqrt(-2 * Math.log(u[first]));
      const angle = 2 * Math.PI * u[first + 1];
      return [radius * Math.cos(angle), radius * Math.sin(angle)];
    });
  }

  return { Purpose, philox4x32, block, uniform, normal };
})();
