// Reads pages as JSON lines {name, html} and prints what HTML-validate finds in them by
// the HTML standard, a line each.
import { createInterface } from "node:readline";
import { HtmlValidate } from "html-validate";

const validator = new HtmlValidate({ root: true, extends: ["html-validate:standard"] });
for await (const line of createInterface({ input: process.stdin })) {
  const { name, html } = JSON.parse(line);
  const report = await validator.validateString(html, name);
  for (const { messages } of report.results) {
    for (const m of messages) console.log(`${name}:${m.line}:${m.column}: ${m.message} (${m.ruleId}) ${m.selector ?? ""}`);
  }
}
