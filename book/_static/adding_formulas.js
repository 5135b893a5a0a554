// Waiting for a run of right sequences, each right with probability p: the law of lltd.analysis.runs_of_success, and
// trials whose random numbers are lltd.philox's.
lltd.adding = (() => {
  const { philox } = lltd;
  const SEED = 1996;
  const CUT = 2_000_000; // sequences after which a trial is given up, as in lltd.chapters.adding

  // The wait that is expected for so many in a row.
  const expected = (p, run) => Math.expm1(-run * Math.log1p(p - 1)) / (1 - p);

  // Probability of waiting still after n sequences, for n = 0 … last.
  function waiting(p, run, last) {
    const left = new Float64Array(last + 1).fill(1);
    const all = p ** run;
    if (last >= run) left[run] = 1 - all;
    for (let n = run + 1; n <= last; n++) left[n] = left[n - 1] - (1 - p) * all * left[n - run - 1];
    return left;
  }

  // Logarithms of a trial's random numbers, one for each of its streaks. They are kept: they suit any p and run.
  const drawn = [];
  function logarithm(id, streak) {
    const known = (drawn[id] ??= []);
    while (known.length <= streak)
      known.push(...philox.uniform(SEED, id, known.length / 4, philox.Purpose.TASK).map(Math.log));
    return known[streak];
  }

  // A trial: how many are right in a row before each miss, and at last before the end; its wait; and whether it was cut.
  function trial(id, p, run) {
    const streaks = [];
    for (let sequences = 0; ; sequences += streaks.at(-1) + 1) {
      const streak = Math.floor(logarithm(id, streaks.length) / Math.log(p)); // g or more with probability p^g
      const end = Math.min(run, CUT - sequences);
      streaks.push(Math.min(streak, end));
      if (streak >= end) return { streaks, wait: sequences + end, cut: end < run };
    }
  }

  // Where a trial's streaks begin and how long they are: of those that end in one of so many columns only the longest.
  function longest(streaks, columns) {
    const found = new Map();
    const last = streaks.length + streaks.reduce((sum, length) => sum + length, 0);
    let begin = 0;
    for (const length of streaks) {
      const column = Math.floor((columns * (begin + length)) / last);
      if (!(found.get(column)?.[1] >= length)) found.set(column, [begin, length]);
      begin += length + 1;
    }
    return [...found.values()];
  }

  return { SEED, CUT, expected, waiting, trial, longest };
})();
