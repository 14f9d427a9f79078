/**
 * The words of a text in lower case: letters, digits and marks of any script, at least two characters. With `pairs` also each two
 * neighbours as one token, since "not good" is no "good".
 */
export function tokenise(text: string, pairs = false): string[] {
  const words =
    text
      .toLowerCase()
      .normalize('NFKC')
      .match(/[\p{L}\p{N}\p{M}]{2,}/gu) ?? [];
  if (!pairs) return words;
  const both: string[] = [...words];
  for (let i = 1; i < words.length; i++) both.push(`${words[i - 1]} ${words[i]}`);
  return both;
}
