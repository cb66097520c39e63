/** What Markdown can be, for looking at. */
export const SHOWCASE = `<think>The person wants to see **everything**: headings, lists, code, a table and a formula. I will write them one after the other.</think># A short tour

Answers are *Markdown*: **bold**, ~~gone~~, \`inline <code>\`, a [link](https://example.com/a?b=c) and Vec<String> as it was written.
A new line stays a new line, and H<sub>2</sub>O and <kbd>Ctrl</kbd> are small.

## Steps

3. The third step, with code:

   \`\`\`rust
   fn main() {
       let words: Vec<String> = vec!["->".into(), "!=".into()];
       /* a comment
          of two lines */
       println!("{}", words.len()); // 2
   }
   \`\`\`
4. The fourth step
   - a part of it
   - [x] is not a task here

- [x] looked at the picture
- [ ] write it down

### Numbers

| Item | Count | Price |
|:-----|:-----:|------:|
| Apples | 3 | 1.20 |
| *Pears* and\\|or plums | 12 | 10.05 |

The roots are \\(x = \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}\\), and it costs $5 or $6. In full:

$$
\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}
$$

> A quotation, with a note.[^1]

مرحبا بالعالم! هذا نص من اليمين إلى اليسار.

[^1]: The note itself.
`;
