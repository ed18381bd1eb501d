// SPDX-License-Identifier: Apache-2.0
// drive.js - a browser for the system tests: each line on stdin is {"js": BODY, "with": VALUE}, the
// body of an async function of page, context, browser, seen and the value; its answer is a line.
"use strict";
const { chromium } = require("playwright-core");

(async () => {
	const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true,
		args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
	const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
	const page = await context.newPage();
	const seen = { requests: [], errors: [] };
	page.on("request", r => seen.requests.push(r.url()));
	page.on("console", m => { if (m.type() === "error") seen.errors.push(m.text()); });
	page.on("pageerror", e => seen.errors.push(String(e)));
	page.on("dialog", d => { seen.errors.push("dialog " + d.message()); d.dismiss(); });
	page.setDefaultTimeout(15000);
	console.log(JSON.stringify({ ok: browser.version() }));
	for await (const line of require("readline").createInterface({ input: process.stdin })) {
		const { js, with: value } = JSON.parse(line);
		try {
			const f = new (Object.getPrototypeOf(async function () {}).constructor)(
				"page", "context", "browser", "seen", "value", js);
			console.log(JSON.stringify({ ok: (await f(page, context, browser, seen, value)) ?? null }));
		} catch (e) {
			console.log(JSON.stringify({ error: String(e) }));
		}
	}
	await browser.close();
})();
