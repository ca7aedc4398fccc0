"use strict";
(() => {
  const SIGNS = { right: "✓", partly: "◐", wrong: "✗", unparsed: "?", failed: "!" };
  const PER_PAGE = 50;
  const byId = (id) => document.getElementById(id);

  // Sets text, never HTML, so that a response of a model cannot become markup.
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  const choose = (name, attribute) => {
    for (const element of document.querySelectorAll(`[${attribute}]`)) element.hidden = element.getAttribute(attribute) !== name;
  };
  for (const input of document.querySelectorAll("input[name=metric]")) input.addEventListener("change", () => choose(input.value, "data-metric"));
  const pair = byId("pair");
  if (pair) pair.addEventListener("change", () => choose(pair.value, "data-pair"));

  const filters = byId("filters");
  const list = byId("list");
  const shown = byId("sample");
  let data, found = [], page = 0, current = null;

  const fill = (name, options) => {
    for (const [value, text] of options) filters.elements[name].append(make("option", text, { value }));
  };

  const outcomeOf = (answer) => answer && answer.outcome;

  const matches = (question, want) => {
    if (want.task && question.code !== want.task) return false;
    if (want.level && question.level !== want.level) return false;
    const answer = question.answers[want.run];
    if (!question.answers.some(Boolean)) return false;
    if (want.outcome && outcomeOf(answer) !== want.outcome) return false;
    if (want.flip) {
      const [first, second, better] = want.flip.split(",").map(Number);
      const one = question.answers[first], other = question.answers[second];
      if (!one || !other || !(better ? other.acc > one.acc : other.acc < one.acc)) return false;
    }
    return want.words.every((word) => question.haystack.includes(word));
  };

  const wanted = () => {
    const of = (name) => filters.elements[name].value;
    const words = of("text").toLowerCase().split(/\s+/).filter(Boolean);
    return { run: Number(of("run")), outcome: of("outcome"), task: of("task"), level: of("level"), flip: of("flip"), words };
  };

  const filter = () => {
    const want = wanted();
    found = data.questions.filter((question) => matches(question, want));
    page = 0;
    draw();
  };

  const draw = () => {
    const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
    const run = wanted().run;
    const items = found.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map((question) => {
      const button = make("button", null, { type: "button", "data-id": question.key });
      const outcome = outcomeOf(question.answers[run]);
      button.append(make("span", question.code), make("span", outcome ? SIGNS[outcome] : "–", { class: outcome || "", title: outcome || "not asked" }), make("span", question.question));
      button.setAttribute("aria-current", String(question === current));
      button.addEventListener("click", () => open(question));
      const item = make("li");
      item.append(button);
      return item;
    });
    list.replaceChildren(...items);
    byId("count").textContent = `${found.length.toLocaleString("en")} of ${data.questions.length.toLocaleString("en")} samples, page ${page + 1} of ${pages}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page + 1 >= pages;
  };

  const folded = (title, text) => {
    const details = make("details");
    details.append(make("summary", title), make("pre", text));
    return details;
  };

  const response = (answer) => {
    const parts = [];
    if (answer.reasoning) parts.push(folded(`Reasoning, ${answer.reasoning.length.toLocaleString("en")} characters`, answer.reasoning));
    parts.push(make("pre", answer.response));
    return parts;
  };

  const player = (question) => {
    if (!question.src) return make("p", `Clip: ${question.media}`, { class: "hint" });
    const kind = question.sound ? "audio" : "video";
    return make(kind, null, { src: question.src, controls: "", preload: "none", "aria-label": `Clip ${question.media}` });
  };

  const facts = (answer) => {
    const parts = [`answer read: ${answer.parsed ?? "none"}`];
    if (answer.frames !== undefined) parts.push(`${answer.frames} frames`);
    if (answer.heard !== undefined) parts.push(`${answer.heard} s heard of ${answer.present} s`);
    if (answer.tokens !== undefined) parts.push(`${answer.tokens} tokens`);
    if (answer.empty) parts.push("empty");
    if (answer.failure === "blocked") parts.push("blocked by a safety filter");
    if (answer.failure === "budget") parts.push("not asked, because the budget of tokens was spent");
    if (answer.truncated) parts.push("cut off at max_new_tokens");
    if (answer.crash) parts.push(`the release's scorer would stop with an error: ${answer.crash}`);
    return parts.join(" · ");
  };

  const open = (question) => {
    current = question;
    const parts = [make("h3", `${question.id} · ${question.code} ${data.tasks[question.code]} · ${question.level}`), player(question), make("p", question.question)];
    if (question.options.length) {
      const options = make("ul");
      question.options.forEach((option, place) => {
        const letter = question.letters[place];
        const item = make("li", option);
        if (question.gold.includes(letter)) item.append(make("b", " ✓ right", { class: "right" }));
        data.runs.forEach((name, run) => {
          const answer = question.answers[run];
          if (answer && answer.parsed && answer.parsed.includes(letter)) item.append(make("span", ` ← ${name}`));
        });
        options.append(item);
      });
      parts.push(options);
    } else parts.push(make("p", `Right: ${question.gold}`));
    data.runs.forEach((name, run) => {
      const answer = question.answers[run];
      if (!answer) return;
      const block = make("div", null, { class: "answer" });
      block.append(make("h4", name), make("p", `${SIGNS[answer.outcome]} ${answer.outcome}`, { class: answer.outcome }), make("p", facts(answer), { class: "hint" }), ...response(answer), folded("Prompt", answer.prompt ?? question.prompt));
      parts.push(block);
    });
    shown.replaceChildren(...parts);
    for (const button of list.querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.id === question.key));
    shown.scrollTop = 0;
  };

  const turn = (by) => { page += by; draw(); list.querySelector("button")?.focus(); };

  const start = () => {
    data = JSON.parse(byId("data").textContent);
    for (const question of data.questions) {
      const said = question.answers.map((answer) => (answer ? `${answer.reasoning ?? ""}\n${answer.response}` : ""));
      question.haystack = [question.id, question.question, ...question.options, question.media, ...said].join("\n").toLowerCase();
    }
    fill("run", data.runs.map((name, run) => [run, name]));
    fill("outcome", [["", "all"], ...Object.keys(SIGNS).map((name) => [name, name])]);
    fill("task", [["", "all"], ...Object.entries(data.tasks).filter(([code]) => data.questions.some((question) => question.code === code)).map(([code, name]) => [code, `${code} ${name}`])]);
    fill("level", [["", "all"], ...[...new Set(data.questions.map((question) => question.level))].map((level) => [level, level])]);
    const flips = data.pairs.flatMap(([one, other]) => [[`${one},${other},1`, `better in ${data.runs[other]} than in ${data.runs[one]}`], [`${one},${other},0`, `worse in ${data.runs[other]} than in ${data.runs[one]}`]]);
    fill("flip", [["", "all"], ...flips]);
    filters.addEventListener("input", filter);
    filters.addEventListener("submit", (event) => event.preventDefault());
    byId("previous").addEventListener("click", () => turn(-1));
    byId("next").addEventListener("click", () => turn(1));
    list.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const buttons = [...list.querySelectorAll("button")];
      buttons[buttons.indexOf(document.activeElement) + step]?.focus();
      event.preventDefault();
    });
    filter();
    document.documentElement.dataset.ready = "true";
  };
  // The browser paints the table first, and then reads the samples.
  requestAnimationFrame(() => setTimeout(start, 0));
})();
