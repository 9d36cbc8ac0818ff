/** Chats of two people as one text, put together from own sentences: another conversation for each number. */

const PEOPLE = ["Mira", "Jonas", "Leila", "Tom", "Ines", "Karl", "Noor", "Paul", "Greta", "Sven"];
const PLACES = ["Lisbon", "Oslo", "Ghent", "Zagreb", "Turin", "Porto", "Riga", "Bergen"];
const MONTHS = ["January", "March", "April", "June", "August", "October"];

type Line = (
  who: string,
  other: string,
  pick: (list: readonly string[]) => string,
  n: number,
) => string;

/** Each is two turns about one matter; figures and names differ from chat to chat. */
const MATTERS: readonly (readonly [Line, Line])[] = [
  [
    (_, other, pick, n) =>
      `Hey ${other}! I signed the contract for the flat in ${pick(PLACES)} yesterday, the rent is ${n + 600} euros a month.`,
    (_, __, pick) =>
      `Congratulations! I would not have found anything that cheap in ${pick(PLACES)}.`,
  ],
  [
    (_, __, pick, n) =>
      `The doctor told my brother that he must not run before ${pick(MONTHS)} ${(n % 27) + 1}, so the marathon is cancelled for him.`,
    () => "That is a pity, he trained every morning since the winter.",
  ],
  [
    (_, __, pick, n) =>
      `Our team sold ${n + 40} tickets for the concert in ${pick(PLACES)}, twelve more than last year.`,
    (_, other) =>
      `Great work, ${other}. My sister bought two of them before they went up in price.`,
  ],
  [
    (_, __, ___, n) =>
      `I finally accepted the offer of the bakery: they pay ${n + 14} euros an hour and I will start on Monday.`,
    () => "You always wanted to work there. Did they ask about the night shift?",
  ],
  [
    (_, __, pick) =>
      `My grandmother sent me the old photographs from ${pick(PLACES)}, some of them are a hundred years old.`,
    () => "Please scan all of them, paper from that time gets brittle very fast.",
  ],
  [
    (_, __, pick, n) =>
      `The train to ${pick(PLACES)} was ${n % 50} minutes late and we never reached the ferry.`,
    () => "The same happened to us in the spring, the company refused to pay the hotel.",
  ],
  [
    () => "I lost the key to the bicycle shed, can you open it for me after the meeting?",
    (_, other, ___, n) =>
      `Sure ${other}, I will be there at ${(n % 11) + 1}:30, but I can't stay longer than ten minutes.`,
  ],
  [
    (_, __, pick, n) =>
      `We planted ${n + 20} tomatoes behind the school in ${pick(PLACES)} and most of them survived the frost.`,
    () => "Ours died in the first cold night, because nobody covered them.",
  ],
  [
    (_, __, ___, n) =>
      `The new printer uses ${n % 30} percent less ink than the old one, but it is slower.`,
    () => "We should keep the old one for large posters then.",
  ],
  [
    (_, other, pick) =>
      `Are you still coming to ${pick(PLACES)} with me, ${other}? The hotel wants an answer before Friday.`,
    () => "I may come if my exam is not moved to that week again.",
  ],
];

/** The chat of a number: about ten matters in an order of its own. */
export function chat(seed: number): string {
  let state = (seed * 2654435761 + 12345) >>> 0;
  const next = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const pick = (list: readonly string[]): string => list[next(list.length)]!;
  const a = PEOPLE[seed % PEOPLE.length]!;
  const b = PEOPLE[(seed + 1 + next(PEOPLE.length - 1)) % PEOPLE.length]!;
  const other = a === b ? PEOPLE[(seed + 3) % PEOPLE.length]! : b;
  const order = MATTERS.map((matter) => ({ matter, at: next(1000) })).sort((x, y) => x.at - y.at);
  return order
    .flatMap(({ matter: [first, second] }, i) => {
      const [who, whom] = i % 2 === 0 ? [a, other] : [other, a];
      return [
        `${who}: ${first(who, whom, pick, next(80) + 3)}`,
        `${whom}: ${second(whom, who, pick, next(80) + 3)}`,
      ];
    })
    .join("\n");
}
