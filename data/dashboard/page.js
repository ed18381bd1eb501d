// SPDX-License-Identifier: Apache-2.0
// page.js - asks /state once a second and shows what it says
//
// Names, paths and words come from agents: they go in as text, never as markup.  A button or key
// is about the question that was read: one that is new, or that moved, takes no yes for a moment,
// and what is sent back names the host and port that was shown (the session compares).
"use strict";
(() => {
	const POLL_MS = 1000, HIDDEN_MS = 4000, READ_MS = 1000, GONE_MS = 1200;
	const EVENTS_MAX = 1000, ROWS_MAX = 250, HISTORY = 300;
	const $ = id => document.getElementById(id);
	const make = (tag, cls, text) => {
		const e = document.createElement(tag);
		if (cls) e.className = cls;
		if (text !== undefined) e.textContent = String(text);
		return e;
	};
	const set = (e, text) => { if (e.textContent !== String(text)) e.textContent = String(text); };

	// The token comes in the fragment, which no server sees, and leaves the address bar at once
	if (location.hash.length > 1) {
		sessionStorage.setItem("token", location.hash.slice(1));
		history.replaceState(null, "", location.pathname);
	}
	const token = sessionStorage.getItem("token") || "";

	let next = 0, id = "", events = [], last = null, chosen = null, timer = 0, busy = false;
	const cards = new Map(), history_ = [], before = new Map();

	async function ask(path, body) {
		const abort = new AbortController(), t = setTimeout(() => abort.abort(), 8000);
		try {
			return await fetch(path, {
				method: body ? "POST" : "GET", body, cache: "no-store", signal: abort.signal,
				credentials: "omit", headers: { Authorization: "Bearer " + token },
			});
		} finally { clearTimeout(t); }
	}

	function link(state, text) {
		$("link").dataset.state = state;
		set($("link"), text);
	}

	async function poll() {
		clearTimeout(timer);
		if (!busy) {
			busy = true;
			try {
				const r = await ask("/state?after=" + next);
				if (r.status === 401) link("lost", "no valid token: open the address in /run/sluice/dashboard.url");
				else if (!r.ok) link("lost", "error " + r.status);
				else take(await r.json());
			} catch { link("lost", "no answer, trying again"); }
			busy = false;
		}
		timer = setTimeout(poll, document.hidden ? HIDDEN_MS : POLL_MS);
	}

	function take(s) {
		if (s.id !== id) {	// another process: its events have other numbers
			if (id) { next = 0; events = []; id = s.id; setTimeout(poll, 0); return; }
			id = s.id;
		}
		next = s.next;
		link(s.daemon ? "live" : "wait", s.daemon ? "live" : "waiting for the daemon");
		if (!s.daemon) return;
		for (const e of s.events) events.push(e);
		if (s.events.length) {
			events.sort((a, b) => a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0);
			events = events.slice(-EVENTS_MAX);
		}
		const first = last === null;
		last = s;
		measure(s);
		showBeyond(s); showTotals(s); showSessions(s); showQuestions(s.approvals.flat()); showDenied(s); showAlerts(s);
		draw();
		if (s.events.length || first) showEvents();
	}

	// ---- rates ----
	function measure(s) {
		const t = performance.now(), sum = { conn: 0, deny: 0, bytes: 0 };
		for (const one of s.sessions) {
			const b = before.get(one.session), bytes = one.bytes_in + one.bytes_out;
			if (b && b.pid === one.pid && t > b.t) {
				const per = 1000 / (t - b.t);
				sum.conn += Math.max(0, one.connections - b.connections) * per;
				sum.deny += Math.max(0, one.denied - b.denied) * per;
				sum.bytes += Math.max(0, bytes - b.bytes) * per;
			}
			before.set(one.session, { t, pid: one.pid, connections: one.connections, denied: one.denied, bytes });
		}
		for (const name of [...before.keys()])
			if (!s.sessions.some(one => one.session === name)) before.delete(name);
		history_.push(sum);
		if (history_.length > HISTORY) history_.shift();
		set($("r-conn"), figure(sum.conn)); set($("r-deny"), figure(sum.deny)); set($("r-bytes"), amount(sum.bytes));
	}
	const figure = x => x >= 100 ? Math.round(x) : x ? x.toFixed(1) : 0;
	function amount(x) {
		let u = 0;
		while (x >= 999.5 && u < 4) { x /= 1000; u++; }
		return (u && x < 9.95 ? x.toFixed(1) : Math.round(x)) + " " + ["B", "kB", "MB", "GB", "TB"][u];
	}
	function chart(canvas, key, colour) {
		const scale = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
		if (canvas.width !== Math.round(w * scale)) canvas.width = Math.round(w * scale);
		if (canvas.height !== Math.round(h * scale)) canvas.height = Math.round(h * scale);
		const g = canvas.getContext("2d"), top = Math.max(1, ...history_.map(x => x[key]));
		g.setTransform(scale, 0, 0, scale, 0, 0);
		g.clearRect(0, 0, w, h);
		const css = getComputedStyle(document.documentElement), c = css.getPropertyValue(colour);
		const x = i => w - (history_.length - 1 - i) * w / (HISTORY - 1), y = v => h - 2 - v / top * (h - 16);
		g.strokeStyle = css.getPropertyValue("--line");
		g.lineWidth = 1;
		g.beginPath(); g.moveTo(0, 13.5); g.lineTo(w, 13.5); g.stroke();
		g.fillStyle = css.getPropertyValue("--soft");
		g.font = "10px sans-serif";
		g.fillText(key === "bytes" ? amount(top) : figure(top), 0, 10);
		if (!history_.length) return;
		g.beginPath();
		history_.forEach((p, i) => i ? g.lineTo(x(i), y(p[key])) : g.moveTo(x(i), y(p[key])));
		g.strokeStyle = c; g.lineWidth = 1.5; g.lineJoin = "round"; g.stroke();
		g.lineTo(w, h); g.lineTo(x(0), h); g.closePath();
		g.globalAlpha = .14; g.fillStyle = c; g.fill(); g.globalAlpha = 1;
	}
	function draw() {
		chart($("c-conn"), "conn", "--good"); chart($("c-deny"), "deny", "--bad"); chart($("c-bytes"), "bytes", "--soft");
	}

	// ---- sessions ----
	function showBeyond(s) {	// of those there are the names alone: also what waits there is not on this page
		const seen = s.held.length - s.unseen;
		set($("beyond"), s.unseen ? s.unseen + " of " + s.held.length + " sessions are beyond the " + seen + " that are looked at: " +
			"of them nothing is here but the names, neither traffic nor alerts nor what waits (sluice sessions, sluice approvals)" : "");
		$("beyond").hidden = !s.unseen;
	}
	const total = (s, key) => s.sessions.reduce((n, one) => n + (one[key] || 0), 0);
	function showTotals(s) {
		set($("t-sessions"), s.held.length); set($("t-open"), total(s, "open"));
		set($("t-denied"), total(s, "denied")); set($("t-waiting"), s.approvals.flat().length);
		const n = s.approvals.flat().length;
		document.title = n ? "(" + n + ") sluice" : "sluice";
	}
	function since(text) {
		const s = Math.max(0, (Date.now() - Date.parse(text)) / 1000);
		return s < 60 ? Math.floor(s) + " s" : s < 3600 ? Math.floor(s / 60) + " min" :
			s < 86400 ? Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min" : Math.floor(s / 86400) + " d";
	}
	function row(cells) {
		const tr = make("tr");
		for (const [text, cls, child] of cells) {
			const td = make("td", cls, child ? undefined : text);
			if (child) td.append(child);
			tr.append(td);
		}
		return tr;
	}
	function showSessions(s) {
		const by = new Map(s.sessions.map(one => [one.session, one])), body = $("sessions").tBodies[0];
		const focused = body.contains(document.activeElement) ? document.activeElement.textContent : null;
		const held = [...s.held].sort((a, b) => a.session < b.session ? -1 : 1);
		body.replaceChildren(...held.map(h => {
			const one = by.get(h.session), name = make("button", "", h.session);
			name.type = "button";
			name.title = (h.labels || []).join(", ");
			name.addEventListener("click", () => { $("which").value = h.session; showEvents(); $("filter").scrollIntoView({ block: "center" }); });
			return row([["", "", name], [h.state, h.state === "serving" ? "state-serving" : "state-other"],
				[one ? one.mode : s.unseen ? "not looked at" : h.mode || "–"], [h.policies.join(", ") || "–", "wide"],
				[one ? since(one.since) : "–", "wide"], [one ? one.open : "–", "n"],
				[one ? one.connections : "–", "n wide"], [one ? one.denied : "–", "n" + (one && one.denied ? " deny" : "")]]);
		}));
		if (focused !== null)
			for (const b of body.querySelectorAll("button")) if (b.textContent === focused) b.focus();
		$("no-sessions").hidden = held.length > 0;
		$("sessions").hidden = !held.length;
		const which = $("which"), names = held.map(h => h.session);
		if (names.join("\n") !== which.dataset.names) {
			const kept = which.value;
			which.replaceChildren(make("option", "", "every session"), ...names.map(n => make("option", "", n)));
			which.options[0].value = "";
			which.value = names.includes(kept) ? kept : "";
			which.dataset.names = names.join("\n");
		}
	}

	// ---- questions ----
	const keyOf = q => [q.session, q.number, q.host, q.port, q.transport].join(" ");
	const place = q => (q.host.includes(":") ? "[" + q.host + "]" : q.host) + ":" + q.port + (q.transport === "udp" ? "/udp" : "");
	function disarm(card) {
		card.armed = performance.now() + READ_MS;
		for (const b of card.buttons) b.disabled = true;
		setTimeout(() => arm(card), READ_MS + 20);
	}
	function arm(card) {
		const ready = !card.gone && !card.sent && performance.now() >= card.armed;
		for (const b of card.buttons) b.disabled = !ready;
	}
	function cardOf(q) {
		const li = make("li", "card"), acts = make("div", "acts");
		const card = { q, li, buttons: [], gone: false, sent: false, armed: 0, facts: make("p", "facts"), says: make("p", "says") };
		li.append(make("p", "to", place(q)), card.facts, card.says, acts);
		for (const [cls, text, what] of [["once", "Allow once", "once"], ["", "Session", "session"], ["no", "Deny", "no"]]) {
			const b = make("button", cls, text);
			b.type = "button";
			b.setAttribute("aria-label", text + ": " + place(q) + " for " + q.session);
			b.addEventListener("click", () => decide(card, what));
			acts.append(b);
			card.buttons.push(b);
		}
		li.addEventListener("focusin", () => choose(card));
		disarm(card);
		return card;
	}
	function choose(card) {
		chosen = card;
		for (const c of cards.values()) {
			c.li.classList.toggle("chosen", c === card);
			if (c === card) c.li.setAttribute("aria-current", "true"); else c.li.removeAttribute("aria-current");
		}
	}
	function showQuestions(list) {
		const now = new Set(list.map(keyOf));
		for (const q of list) {
			let card = cards.get(keyOf(q));
			if (!card) {
				card = cardOf(q);
				cards.set(keyOf(q), card);
				$("cards").append(card.li);
				set($("say"), "Question: " + q.session + " wants " + place(q));
			}
			card.q = q;
			set(card.facts, [q.session, q.exe, q.method ? q.method + " " + (q.path || "") : q.path, q.reason,
				q.waiting && q.waiting + " waiting", q.left_s + " s left"].filter(Boolean).join(" · "));
			set(card.says, q.agent_says ? "the agent says: " + q.agent_says : "");
			card.says.hidden = !q.agent_says;
		}
		for (const [key, card] of cards) {
			if (now.has(key) || card.gone) continue;
			card.gone = true;
			card.li.classList.add("gone");
			arm(card);
			setTimeout(() => {	// what is below moves up: it is to be read anew
				let below = false;
				for (const c of cards.values()) { if (below) disarm(c); below = below || c === card; }
				card.li.remove();
				cards.delete(key);
				if (chosen === card) {
					const other = [...cards.values()].find(c => !c.gone);
					chosen = null;
					if (other) { disarm(other); choose(other); }
				}
				$("no-approvals").hidden = cards.size > 0;
			}, GONE_MS);
		}
		if (!chosen && cards.size) choose([...cards.values()][0]);
		$("no-approvals").hidden = cards.size > 0;
	}
	async function decide(card, what) {
		if (!card || card.gone || card.sent) return;
		if (performance.now() < card.armed) { set($("answer"), "another question came: read it first"); return; }
		const q = card.q, line = { do: what === "no" ? "reject" : "approve", id: q.number, host: q.host, port: q.port, transport: q.transport };
		if (what !== "no") line.scope = what;
		card.sent = true;
		arm(card);
		let said;
		try {
			const r = await ask("/decide?session=" + encodeURIComponent(q.session), JSON.stringify(line));
			const a = r.ok ? await r.json() : { ok: false, error: "error " + r.status };
			said = a.ok ? (what === "no" ? "denied" : what === "once" ? "allowed once" : "allowed for the session") : a.error;
			if (!a.ok) { card.sent = false; disarm(card); }
		} catch { said = "no answer: look whether it still waits"; card.sent = false; disarm(card); }
		set($("answer"), q.session + ": " + place(q) + ": " + said);
		poll();
	}

	// ---- denials, alerts ----
	function showDenied(s) {
		const all = s.sessions.flatMap(one => one.denials.map(d => ({ ...d, session: one.session })));
		all.sort((a, b) => b.times - a.times);
		$("denied").tBodies[0].replaceChildren(...all.slice(0, 100).map(d =>
			row([[d.times, "n"], [d.port ? place({ ...d, transport: "tcp" }) : d.host], [d.reason, "deny"], [d.session, "wide"]])));
		$("denied").hidden = !all.length;
		$("no-denials").hidden = all.length > 0;
	}
	function showAlerts(s) {
		const list = events.filter(e => e.event === "alert").slice(-30).reverse().map(e => [e.ts, e.session + ": " + (e.message || e.kind)]);
		for (const h of s.held) {
			if (h.state === "closed") list.unshift(["", h.session + ": closed until its keeper runs again" + (h.why ? " (" + h.why + ")" : "")]);
			else if (h.restarts) list.push(["", h.session + ": its keeper was started again " + h.restarts + " times"]);
		}
		for (const one of s.sessions) if (one.reload_error) list.unshift(["", one.session + ": the policy was not reloaded: " + one.reload_error]);
		$("alert-list").replaceChildren(...list.map(([ts, text]) => {
			const li = make("li");
			if (ts) li.append(make("time", "", clock(ts)));
			li.append(text);
			return li;
		}));
		$("no-alerts").hidden = list.length > 0;
	}

	// ---- traffic ----
	const clock = ts => { const d = new Date(ts); return isNaN(d) ? ts : d.toTimeString().slice(0, 8); };
	const bytes = e => amount(e.bytes_out || 0) + " out, " + amount(e.bytes_in || 0) + " in";
	const at = e => (String(e.host || e.ip || "").includes(":") ? "[" + (e.host || e.ip) + "]" : e.host || e.ip || "") + (e.port ? ":" + e.port : "");
	const kinds = {
		"session.start": e => ["session starts, mode " + e.mode, ""],
		"session.end": () => ["session ends", ""],
		"dns.query": e => ["name " + e.name + " " + e.type, e.reason],
		"conn.open": e => [at(e) + " " + e.proto, e.reason + (e.rule ? " by " + e.rule : "") + (e.exe ? ", " + e.exe : "")],
		"conn.close": e => [at(e) + " ends", bytes(e) + (e.reason ? ", " + e.reason : "")],
		"http": e => [e.method + " " + at({ host: e.host, port: e.port }) + e.path, (e.status ? e.status + ", " : "") + e.reason],
		"packet.drop": e => [at(e) + " " + e.proto, e.count + " packets refused"],
		"denials": e => [e.count + " more to " + e.distinct + " hosts", e.reason],
		"alert": e => ["alert " + e.kind, e.message || ""],
		"approval": e => [at(e) + " " + e.decision, e.scope + (e.by ? " by " + e.by : "")],
		"policy.reload": e => ["policy read again", e.error || (e.changed ? "changed" : "as before")],
	};
	function told(e) {
		const of = kinds[e.event], [what, why] = of ? of(e) : [e.event, ""];
		const verdict = e.verdict || (e.event === "denials" || e.event === "packet.drop" ? "deny" : "");
		return { what, why: why || "", verdict };
	}
	function showEvents() {
		const words = $("filter").value.toLowerCase(), verdict = $("verdict").value, which = $("which").value, rows = [];
		for (let i = events.length; i-- > 0 && rows.length < ROWS_MAX;) {
			const e = events[i], t = told(e);
			if ((verdict && t.verdict !== verdict) || (which && e.session !== which)) continue;
			if (words && !(t.what + " " + t.why + " " + e.session).toLowerCase().includes(words)) continue;
			const cls = t.verdict === "deny" ? "deny" : t.verdict === "allow" ? "allow" : "info";
			rows.push(row([[clock(e.ts), "t"], [t.verdict || "·", "v " + cls], [t.what], [t.why, "wide"], [e.session, "wide"]]));
		}
		$("events").tBodies[0].replaceChildren(...rows);
	}

	// ---- keys ----
	function move(step) {
		const list = [...cards.values()].filter(c => !c.gone), i = list.indexOf(chosen) + step;
		if (list[i]) { choose(list[i]); list[i].li.scrollIntoView({ block: "nearest" }); }
	}
	const keys = {
		j: () => move(1), k: () => move(-1), a: () => decide(chosen, "once"), s: () => decide(chosen, "session"),
		d: () => decide(chosen, "no"), "/": () => $("filter").focus(), "?": () => $("help").showModal(),
	};
	document.addEventListener("keydown", e => {
		if (e.ctrlKey || e.altKey || e.metaKey || e.repeat || $("help").open) return;
		if (e.target.matches("input, select")) { if (e.key === "Escape") e.target.blur(); return; }
		if (!Object.hasOwn(keys, e.key)) return;
		e.preventDefault();
		keys[e.key]();
	});
	$("help-open").addEventListener("click", () => $("help").showModal());
	$("filters").addEventListener("submit", e => e.preventDefault());
	for (const f of ["filter", "verdict", "which"]) $(f).addEventListener("input", showEvents);
	document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
	addEventListener("resize", draw);
	poll();
})();
