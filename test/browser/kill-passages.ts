/** Sentences of a public speech (F. D. Roosevelt, 1941), for stores that are filled and killed. */

export const SENTENCES = [
  "In the future days, which we seek to make secure, we look forward to a world founded upon four essential human freedoms.",
  "The first is freedom of speech and expression, everywhere in the world.",
  "The second is freedom of every person to worship God in his own way, everywhere in the world.",
  "The third is freedom from want, which means economic understandings which will secure to every nation a healthy peacetime life for its inhabitants.",
  "The fourth is freedom from fear, which means a world-wide reduction of armaments to such a point that no nation will be in a position to commit an act of physical aggression against any neighbor.",
  "That is no vision of a distant millennium; it is a definite basis for a kind of world attainable in our own time and generation.",
  "Since the beginning of our American history, we have been engaged in change, in a perpetual peaceful revolution.",
  "This nation has placed its destiny in the hands and heads and hearts of its millions of free men and women.",
];
