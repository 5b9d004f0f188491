/* What moves on Hamgam's pages: menu, messages, "are you sure", regions that refresh themselves, the log, the connection test.
   Nothing here builds HTML from data: fragments come whole from the server, texts are set as text. */
(function () {
  "use strict";

  const root = document.documentElement;
  root.classList.add("js");
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const toasts = document.getElementById("toasts");

  function say(text, bad) {
    if (!text) return;
    const line = document.createElement("div");
    line.className = bad ? "toast-line bad" : "toast-line";
    line.textContent = text;
    toasts.append(line);
    window.setTimeout(function () { line.remove(); }, bad ? 9000 : 5000);
  }

  /* ---- menu and messages ---- */
  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-print]")) { window.print(); return; }
    const toggle = event.target.closest("[data-nav]");
    if (toggle) {
      const open = document.getElementById("mainnav").classList.toggle("open");
      toggle.setAttribute("aria-expanded", String(open));
    }
    const close = event.target.closest("[data-dismiss='alert']");
    if (close) close.closest(".alert").remove();
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target) && !dialog.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener("keydown", function (event) {
    const menu = event.key === "Escape" && !dialog.open && document.querySelector("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  /* ---- regions that refresh themselves: every 2 s while something is active, not while nobody looks ---- */
  const regions = [];
  const LOOK = 2; /* seconds: between them a region in which nothing moves asks whether a run has begun, and no more */
  const TOKENS = /name="csrf_token" value="[^"]*"/g; /* new in every answer; no reason to redraw */

  /* Whoever goes by the keyboard stays where they are when a region is drawn anew: at the element of the same name, or
     of the same place and kind, or else at the region. */
  function focusable(region) { return Array.from(region.querySelectorAll("a[href], button, input, select, summary, [tabindex]")); }

  function place(region) {
    const active = document.activeElement;
    if (!active || active === region || !region.contains(active)) return null;
    return { id: active.id, index: focusable(region).indexOf(active), kind: active.tagName, href: active.getAttribute("href") };
  }

  function goBackTo(at, region) {
    const there = focusable(region)[at.index];
    const same = there && there.tagName === at.kind && there.getAttribute("href") === at.href;
    const again = (at.id && document.getElementById(at.id)) || (!at.id && same && there);
    if (!again) region.tabIndex = -1;
    (again || region).focus({ preventScroll: true });
  }

  function swap(box, html) {
    const focused = place(box);
    box.innerHTML = html;
    if (focused) goBackTo(focused, box);
  }

  /* A region may be made of pieces: then only those are drawn anew that have changed. */
  const drawn = new Map();
  function fillIn(region, html) {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const pieces = fresh.content.querySelectorAll("[data-piece]");
    if (!pieces.length) { swap(region, html); return; }
    pieces.forEach(function (piece) {
      const old = document.getElementById(piece.id);
      if (piece.dataset.states !== undefined) { fill(old, piece.dataset.states); return; }
      if (piece.dataset.shape !== undefined) old.dataset.shape = piece.dataset.shape;
      const same = piece.innerHTML.replace(TOKENS, "");
      if (drawn.get(piece.id) !== same) swap(old, piece.innerHTML);
      drawn.set(piece.id, same);
    });
  }

  /* What the page has of a map need not come again. */
  function addressOf(one) {
    const map = one.region.querySelector("[data-shape]");
    if (!map) return one.url;
    return one.url + (one.url.includes("?") ? "&" : "?") + "shape=" + encodeURIComponent(map.dataset.shape);
  }

  async function refresh(one) {
    window.clearTimeout(one.timer);
    if (one.busy) { one.again = true; return; }
    if (one.again) one.newest = null;
    one.busy = true;
    one.again = false;
    try {
      const headers = { "X-Requested-With": "fetch" };
      if (one.newest && Date.now() - one.drawn < one.seconds * 1000) headers["X-Newest"] = one.newest;
      const answer = await fetch(addressOf(one), { headers: headers, credentials: "same-origin" });
      if (answer.redirected || answer.status === 401 || answer.status === 403) {
        window.location.reload();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      if (answer.status !== 204) draw(one, await answer.text(), answer.headers);
      one.failures = 0;
      offline(false);
    } catch (error) {
      one.failures += 1;
      one.newest = null;
      one.seconds = Math.min(30, 2 * Math.pow(2, one.failures));
      if (one.failures > 1) offline(true);
    } finally {
      one.busy = false;
      schedule(one, one.again ? 0 : one.newest ? Math.min(LOOK, one.seconds) : one.seconds);
    }
  }

  function draw(one, html, headers) {
    one.seconds = Number(headers.get("X-Poll-Seconds")) || 15;
    one.newest = headers.get("X-Newest");
    one.drawn = Date.now();
    const same = html.replace(TOKENS, "");
    if (same !== one.html && !dialog.open) {
      fillIn(one.region, html);
      one.html = same;
      reachable();
      maps();
      announce(one, (headers.get("X-Announce") || "").split(",").filter(Boolean).map(decodeURIComponent));
      one.region.dispatchEvent(new CustomEvent("drawn", { bubbles: true }));
    }
    const engine = document.getElementById("engine-down");
    if (engine && headers.has("X-Engine")) engine.hidden = headers.get("X-Engine") !== "down";
  }

  function schedule(one, seconds) {
    window.clearTimeout(one.timer);
    if (document.hidden || seconds <= 0 && !one.again) return;
    one.timer = window.setTimeout(function () { dialog.open ? schedule(one, 1) : refresh(one); }, seconds * 1000);
  }

  function offline(yes) {
    const strip = document.getElementById("offline");
    if (strip) strip.hidden = !yes;
  }

  /* Who hears the page is told what is news to them, not the whole again. */
  function announce(one, texts) {
    const news = texts.filter(function (text) { return !one.announced.includes(text); });
    one.announced = texts;
    if (news.length) document.getElementById("announce").textContent = news.join(" · ");
  }

  function refreshAll() {
    regions.forEach(function (one) {
      one.newest = null; /* something else than a run may have changed */
      refresh(one);
    });
  }

  document.addEventListener("visibilitychange", function () {
    if (document.hidden) regions.forEach(function (one) { window.clearTimeout(one.timer); });
    else refreshAll();
  });

  /* ---- "are you sure": one dialog for every form that asks ---- */
  const dialog = document.getElementById("ask");
  let asking = null;

  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (dialog.contains(form)) return;
    if (form.dataset.busy) { event.preventDefault(); return; }
    if (form.dataset.confirm && form !== asking) {
      event.preventDefault();
      asking = form;
      dialog.querySelector("[data-title]").textContent = form.dataset.title || texts.sure;
      dialog.querySelector("[data-text]").textContent = form.dataset.confirm;
      const yes = dialog.querySelector("[data-yes]");
      yes.textContent = form.dataset.yes || texts.yes;
      yes.className = form.dataset.danger ? "btn btn-danger" : "btn btn-primary";
      dialog.querySelector("[data-no]").textContent = form.dataset.no || texts.no;
      dialog.returnValue = "no"; /* to some browsers Escape leaves the answer to the question before */
      dialog.showModal();
      yes.focus();
      return;
    }
    asking = null;
    if (form.dataset.quiet !== undefined) {
      event.preventDefault();
      quietly(form);
    } else if (form.dataset.check !== undefined) {
      event.preventDefault();
      check(form);
    }
  });

  dialog.addEventListener("close", function () {
    const form = asking;
    asking = null;
    if (!form || dialog.returnValue !== "yes") return;
    if (form.dataset.quiet !== undefined) quietly(form);
    else form.submit();
  });
  // Beside the dialog is "no"; but not the second click of a double click on the button that opened it.
  dialog.addEventListener("click", function (event) {
    if (event.target === dialog && event.detail < 2) dialog.close("no");
  });

  /* A form that is on its way is not sent again. Its button is not disabled: that would take the focus from it. */
  function onItsWay(form, yes) {
    if (yes) form.dataset.busy = "1";
    else delete form.dataset.busy;
    const button = form.querySelector("button");
    if (button) button.setAttribute("aria-disabled", String(yes));
  }

  /* Send a form without leaving the page; the answer is one sentence. */
  async function quietly(form) {
    onItsWay(form, true);
    try {
      const answer = await post(form.action, new FormData(form));
      say(answer.message, !answer.ok);
      if (answer.go) { window.location.assign(answer.go); return; }
    } catch (error) {
      say(texts.unreachable, true);
    }
    onItsWay(form, false);
    refreshAll();
  }

  async function post(url, body) {
    const answer = await fetch(url, {
      method: "POST", body: body, credentials: "same-origin",
      headers: { "X-Quiet": "1", "Accept": "application/json" },
    });
    const kind = answer.headers.get("Content-Type") || "";
    if (!kind.startsWith("application/json")) {
      if (answer.redirected) window.location.reload();
      return { ok: false, message: texts.refused };
    }
    return answer.json();
  }

  /* ---- the connection test ---- */
  async function check(form) {
    const result = document.getElementById(form.dataset.check);
    onItsWay(form, true);
    result.hidden = false;
    result.className = "notice n-info";
    result.textContent = texts.testing;
    try {
      const answer = await post(form.action, new FormData(form));
      if (answer.go) { window.location.assign(answer.go); return; }
      result.className = answer.ok ? "notice n-success" : "notice n-failed";
      if (answer.html) result.innerHTML = answer.html;
      else result.textContent = answer.message;
      result.scrollIntoView({ block: "nearest" });
    } catch (error) {
      result.className = "notice n-failed";
      result.textContent = texts.unreachable;
    }
    onItsWay(form, false);
  }

  /* ---- the log follows its end until somebody scrolls up ---- */
  function followLog(box) {
    let last = Number(box.dataset.last || 0);
    const follow = document.getElementById("log-follow");
    const toEnd = function () { if (!follow || follow.checked) box.scrollTop = box.scrollHeight; };
    box.addEventListener("scroll", function () {
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      if (follow && follow.checked !== atEnd) follow.checked = atEnd;
    });
    if (follow) follow.addEventListener("change", toEnd);
    toEnd();
    async function more() {
      if (document.hidden) { window.setTimeout(more, 2000); return; }
      let ended = false;
      try {
        const answer = await fetch(box.dataset.log + (box.dataset.log.includes("?") ? "&" : "?") + "after=" + last, { credentials: "same-origin" });
        if (answer.ok) {
          const page = await answer.json();
          page.lines.forEach(function (line) {
            const row = document.createElement("div");
            row.className = "l-" + line.level;
            const at = document.createElement("span");
            at.className = "t";
            at.textContent = line.at + "  ";
            row.append(at, line.message);
            box.append(row);
          });
          last = page.last;
          const nothing = document.getElementById("log-empty");
          if (nothing && page.lines.length) nothing.remove();
          else if (nothing && page.ended) nothing.textContent = nothing.dataset.ended;
          if (page.lines.length) toEnd();
          ended = page.ended && !page.more;
        }
      } catch (error) { /* the page says so already; the next turn tries again */ }
      if (!ended) window.setTimeout(more, 2000);
    }
    if (box.dataset.ended !== "1") window.setTimeout(more, 1000);
  }

  /* ---- the map of a run's parts: it fills in cell by cell, is gone through by the arrow keys, and leads to its parts ---- */
  function words(box) {
    const found = {};
    box.querySelectorAll("[data-letter]").forEach(function (one) { found[one.dataset.letter] = one; });
    return found;
  }

  /* states: a letter for each cell, a comma after each row. */
  function fill(box, states) {
    const legend = words(box);
    const rows = box.querySelectorAll(".part-map tbody tr");
    states.split(",").forEach(function (letters, at) {
      for (let cell = 0; rows[at] && cell < letters.length; cell += 1) {
        const there = rows[at].cells[cell + 1], letter = letters[cell];
        if (!legend[letter] || there.className === letter) continue;
        there.className = letter;
        there.title = legend[letter].textContent;
      }
    });
    Object.keys(legend).forEach(function (letter) { legend[letter].hidden = !states.includes(letter); });
  }

  /* A new map: its cells get their words, and one of them is reached by the tab key; more than that would be no use. */
  function maps() {
    document.querySelectorAll(".part-map:not([role])").forEach(function (map) {
      const legend = words(map.closest("[data-shape]"));
      map.setAttribute("role", "grid");
      map.querySelectorAll("td[class]").forEach(function (cell) { cell.title = legend[cell.className].textContent; });
      const first = map.querySelector("td[aria-current]") || map.querySelector("td[class]");
      if (first) first.tabIndex = 0;
      if (first && first.hasAttribute("aria-current")) { /* into its box; the page itself stays where it is */
        const box = map.parentElement, cell = first.getBoundingClientRect(), around = box.getBoundingClientRect();
        const names = first.parentElement.cells[0].getBoundingClientRect(); /* they stay: into the middle of what they leave */
        const middle = names.x < cell.x ? (names.right + around.right) / 2 : (around.x + names.x) / 2;
        box.scrollBy(cell.x + cell.width / 2 - middle, cell.y - around.y - around.height / 2);
      }
    });
  }
  maps();

  function heading(cell) { return cell.closest("table").tHead.rows[0].cells[cell.cellIndex]; }

  /* A cell says whose it is, once somebody asks. */
  function introduce(event) {
    const cell = event.target.closest && event.target.closest(".part-map td[class]");
    if (!cell) return;
    const state = words(cell.closest("[data-shape]"))[cell.className];
    const of = [cell.parentElement.cells[0], heading(cell)].map(function (one) { return (one.title || one.textContent).trim(); });
    if (state) cell.title = of.join(" · ") + " · " + state.textContent;
  }
  document.addEventListener("pointerover", introduce);
  document.addEventListener("focusin", introduce);

  function open(cell) {
    const at = new URLSearchParams();
    const map = cell.closest("table");
    if (map.dataset.stream) at.set("in", map.dataset.stream);
    at.set("row", cell.parentElement.dataset.row);
    at.set("column", heading(cell).dataset.column);
    window.location.assign(map.closest("[data-to]").dataset.to + "?" + at + "#parts");
  }
  document.addEventListener("click", function (event) {
    const cell = event.target.closest(".part-map td[class]");
    if (cell) open(cell);
  });
  document.addEventListener("keydown", function (event) {
    const cell = event.target.closest && event.target.closest(".part-map td");
    if (!cell || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); if (cell.className) open(cell); return; }
    const forward = getComputedStyle(cell).direction === "rtl" ? -1 : 1;
    const step = { ArrowRight: [0, forward], ArrowLeft: [0, -forward], ArrowDown: [1, 0], ArrowUp: [-1, 0],
      Home: [0, -Infinity], End: [0, Infinity], PageUp: [-Infinity, 0], PageDown: [Infinity, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const rows = cell.closest("tbody").rows;
    const within = function (value, least, most) { return Math.max(least, Math.min(most, value)); };
    const row = rows[within(cell.parentElement.sectionRowIndex + step[0], 0, rows.length - 1)];
    const next = row.cells[within(cell.cellIndex + step[1], 1, row.cells.length - 1)];
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  /* ---- a table that is wider than its place is reached and scrolled by the keyboard, and has a name ---- */
  function reachable() {
    document.querySelectorAll(".table-wrap").forEach(function (box) {
      if (box.scrollWidth <= box.clientWidth) {
        ["tabindex", "role", "aria-label"].forEach(function (name) { box.removeAttribute(name); });
        return;
      }
      const card = box.closest(".card");
      const title = box.querySelector("caption") || (card && card.querySelector("h2")) || document.querySelector("h1");
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      if (title) box.setAttribute("aria-label", title.textContent.trim());
    });
  }
  window.addEventListener("resize", reachable);
  document.fonts.ready.then(reachable);
  reachable();

  /* ---- small comforts ---- */
  document.querySelectorAll("[data-autosubmit]").forEach(function (field) {
    field.addEventListener("change", function () { field.form.requestSubmit(); });
  });
  /* The browser's own words at a file box are in the browser's language, not the page's. */
  document.querySelectorAll("[data-names]").forEach(function (field) {
    field.addEventListener("change", function () {
      if (field.files.length) document.getElementById(field.dataset.names).textContent = field.files[0].name;
    });
  });
  document.querySelectorAll(".action-rowtoggle").forEach(function (all) {
    all.addEventListener("change", function () {
      document.querySelectorAll("input.action-checkbox").forEach(function (one) { one.checked = all.checked; });
    });
  });
  document.addEventListener("click", async function (event) {
    const copy = event.target.closest("[data-copy]");
    if (!copy) return;
    const from = document.getElementById(copy.dataset.copy);
    if (navigator.clipboard) { /* only where the page came over https or from this machine */
      await navigator.clipboard.writeText(from.value || from.textContent);
      say(texts.copied);
    } else {
      if (from.select) from.select();
      else window.getSelection().selectAllChildren(from);
      say(texts.press_copy);
    }
  });
  const preview = document.querySelector("[data-preview]");
  if (preview) {
    const target = document.getElementById(preview.dataset.previewInto);
    let asked = 0, shown = 0, waiting = 0;
    const show = async function () {
      window.clearTimeout(waiting);
      const mine = asked += 1;
      try {
        const answer = await fetch(preview.dataset.preview + "?" + query(preview), { credentials: "same-origin" });
        const html = answer.ok ? await answer.text() : null;
        if (html === null || mine < shown) return; /* an answer to what was typed before */
        shown = mine;
        target.innerHTML = html;
      } catch (error) { /* what is typed next asks again; saving says what is wrong */ }
    };
    preview.addEventListener("change", show);
    preview.addEventListener("input", function () {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(show, 250);
    });
  }

  function query(box) {
    const wanted = new URLSearchParams();
    box.querySelectorAll("input, select").forEach(function (field) {
      if ((field.type === "radio" || field.type === "checkbox") && !field.checked) return;
      if (field.name) wanted.append(field.name, field.value);
    });
    return wanted.toString();
  }

  /* ---- a long list to choose from: what is typed above it leaves only the lines that hold it ---- */
  function plain(text) {
    return text.toLowerCase().replace(/ي/g, "ی").replace(/ك/g, "ک").replace(/\u200c/g, " ")
      .replace(/[۰-۹]/g, function (sign) { return String(sign.charCodeAt(0) - 1776); })
      .replace(/[٠-٩]/g, function (sign) { return String(sign.charCodeAt(0) - 1632); });
  }
  document.querySelectorAll("[data-filter]").forEach(function (field) {
    field.addEventListener("input", function () {
      const wanted = plain(field.value.trim());
      document.querySelectorAll("#" + field.dataset.filter + " label").forEach(function (line) {
        line.hidden = !plain(line.textContent).includes(wanted);
      });
    });
    field.addEventListener("keydown", function (event) { if (event.key === "Enter") event.preventDefault(); });
  });

  /* ---- nothing is asked for before something is ticked; why, the line beside the button says ---- */
  document.querySelectorAll("[data-needs-tick]").forEach(function (button) {
    function look() { button.disabled = !button.form.querySelector("input:checked"); }
    look();
    button.form.addEventListener("change", look);
    window.addEventListener("pageshow", look); /* a browser that goes back may bring the ticks along */
  });

  document.querySelectorAll("[data-live]").forEach(function (region) {
    const one = { region: region, url: region.dataset.live, html: null, failures: 0, busy: false,
      seconds: Number(region.dataset.seconds) || 15, timer: 0, newest: region.dataset.newest || null, drawn: Date.now(),
      announced: JSON.parse(region.dataset.announced || "[]") };
    regions.push(one);
    schedule(one, one.newest ? LOOK : one.seconds);
  });
  document.querySelectorAll("[data-log]").forEach(followLog);

  /* ---- the page between two houses: to the one that is left the person is signed in, to the other one not yet ---- */
  document.querySelectorAll("[data-arrive]").forEach(function (page) {
    async function look() {
      try {
        const answer = await fetch(page.dataset.login, { redirect: "manual", credentials: "same-origin" });
        if (answer.ok) { window.location.assign(page.dataset.arrive); return; }
      } catch (error) { /* neither of them answers just now */ }
      window.setTimeout(look, 1500);
    }
    window.setTimeout(look, 1500);
  });
})();
