/* Boxes for days: a small Jalali calendar beside each, and a word at once about a day that there is not.
   Leap years follow the 33-year rule, as on the server (fetchers/core/clean/jalali.py). */
(function () {
  "use strict";

  const boxes = document.querySelectorAll("[data-day]");
  if (!boxes.length) return;
  const texts = JSON.parse(document.getElementById("texts").textContent).days;
  const persian = document.documentElement.lang === "fa";
  const FIRST = 1250, LAST = 1500;

  function isLeap(year) { return (25 * year + 11) % 33 < 8; }
  function daysIn(year, month) { return month <= 6 ? 31 : month <= 11 || isLeap(year) ? 30 : 29; }
  function ordinal(year, month, day) { /* days since 1 Farvardin 1403, a Wednesday */
    let days = day - 1;
    for (let one = 1; one < month; one += 1) days += daysIn(year, one);
    for (let one = 1403; one < year; one += 1) days += isLeap(one) ? 366 : 365;
    for (let one = 1402; one >= year; one -= 1) days -= isLeap(one) ? 366 : 365;
    return days;
  }
  function weekday(year, month, day) { return (((ordinal(year, month, day) + 4) % 7) + 7) % 7; } /* Saturday: 0 */
  function moved(at, days) {
    let [year, month, day] = at;
    day += days;
    while (day < 1) { [year, month] = month === 1 ? [year - 1, 12] : [year, month - 1]; day += daysIn(year, month); }
    while (day > daysIn(year, month)) { day -= daysIn(year, month); [year, month] = month === 12 ? [year + 1, 1] : [year, month + 1]; }
    return year < FIRST ? [FIRST, 1, 1] : year > LAST ? [LAST, 12, daysIn(LAST, 12)] : [year, month, day];
  }
  function inMonth(at, months) {
    const month = at[0] * 12 + at[1] - 1 + months;
    const year = Math.min(LAST, Math.max(FIRST, Math.floor(month / 12)));
    const there = ((month % 12) + 12) % 12 + 1;
    return [year, there, Math.min(at[2], daysIn(year, there))];
  }

  function latin(text) {
    return text.replace(/[۰-۹]/g, function (sign) { return String(sign.charCodeAt(0) - 1776); })
      .replace(/[٠-٩]/g, function (sign) { return String(sign.charCodeAt(0) - 1632); });
  }
  function digits(text) {
    return persian ? String(text).replace(/[0-9]/g, function (sign) { return String.fromCharCode(1776 + Number(sign)); }) : String(text);
  }
  function two(number) { return String(number).padStart(2, "0"); }
  function written(at) { return digits(at[0] + "/" + two(at[1]) + "/" + two(at[2])); }
  function read(text) { /* year, month, day as they stand there, whether there is such a day or not */
    const found = /^(1[2-5]\d\d)[\/.\-](\d{1,2})[\/.\-](\d{1,2})$/.exec(latin(text.trim()));
    return found && [Number(found[1]), Number(found[2]), Number(found[3])];
  }
  function isDay(at) { return at[1] >= 1 && at[1] <= 12 && at[2] >= 1 && at[2] <= daysIn(at[0], at[1]); }

  function check(input) {
    const at = read(input.value);
    let wrong = "";
    if (at && at[1] >= 1 && at[1] <= 12 && at[2] > daysIn(at[0], at[1])) {
      wrong = texts.short.replace("{month}", texts.months[at[1] - 1]).replace("{year}", digits(at[0]))
        .replace("{n}", digits(daysIn(at[0], at[1])));
    }
    input.setCustomValidity(wrong);
    input.classList.toggle("is-invalid", Boolean(wrong));
  }

  let open = null; /* the one calendar that is open, and whose */

  function close(focus) {
    if (!open) return;
    const last = open;
    open = null;
    last.calendar.remove();
    last.button.setAttribute("aria-expanded", "false");
    if (focus) last.button.focus();
  }

  function make(kind, className, text) {
    const one = document.createElement(kind);
    if (className) one.className = className;
    if (text !== undefined) one.textContent = text;
    return one;
  }

  function show(box) {
    close(false);
    const input = box.querySelector("input"), button = box.querySelector("button");
    const today = read(box.dataset.today);
    const chosen = read(input.value);
    let at = chosen && isDay(chosen) ? chosen : today;
    const calendar = make("div", "calendar");
    calendar.setAttribute("role", "dialog");
    calendar.setAttribute("aria-label", button.getAttribute("aria-label"));
    const head = make("div", "calendar-head");
    const back = make("button", "btn btn-plain", "‹"), on = make("button", "btn btn-plain", "›");
    back.type = on.type = "button";
    back.setAttribute("aria-label", texts.before);
    on.setAttribute("aria-label", texts.after);
    const month = make("select", "form-control"), year = make("select", "form-control");
    month.setAttribute("aria-label", texts.month);
    year.setAttribute("aria-label", texts.year);
    texts.months.forEach(function (name, place) { month.append(new Option(name, String(place + 1))); });
    for (let one = today[0] + 5; one >= today[0] - 100; one -= 1) year.append(new Option(digits(one), String(one)));
    head.append(back, month, year, on);
    const table = make("table"), line = make("tr");
    texts.weekdays.forEach(function (name) {
      const cell = make("th", "", name);
      cell.scope = "col";
      line.append(cell);
    });
    const top = make("thead"), body = make("tbody");
    top.append(line);
    table.append(top, body);
    calendar.append(head, table);
    box.append(calendar);
    open = { calendar: calendar, button: button, box: box };
    button.setAttribute("aria-expanded", "true");

    function choose(day) {
      input.value = written(day);
      check(input);
      close(false);
      input.focus();
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }

    function draw(focus) {
      if (![...year.options].some(function (one) { return one.value === String(at[0]); })) {
        year.append(new Option(digits(at[0]), String(at[0])));
      }
      month.value = String(at[1]);
      year.value = String(at[0]);
      body.replaceChildren();
      let row = make("tr"), place = weekday(at[0], at[1], 1);
      for (let empty = 0; empty < place; empty += 1) row.append(make("td"));
      for (let day = 1; day <= daysIn(at[0], at[1]); day += 1, place += 1) {
        if (place && place % 7 === 0) { body.append(row); row = make("tr"); }
        const here = [at[0], at[1], day];
        const one = make("button", "", digits(day));
        one.type = "button";
        one.setAttribute("aria-label", digits(day) + " " + texts.months[at[1] - 1] + " " + digits(at[0]));
        one.tabIndex = day === at[2] ? 0 : -1;
        if (String(here) === String(today)) one.setAttribute("aria-current", "date");
        if (chosen && String(here) === String(chosen)) one.setAttribute("aria-pressed", "true");
        one.addEventListener("click", function () { choose(here); });
        const cell = make("td", place % 7 === 6 ? "friday" : "");
        cell.append(one);
        row.append(cell);
        if (focus && day === at[2]) window.setTimeout(function () { one.focus(); });
      }
      body.append(row);
    }

    back.addEventListener("click", function () { at = inMonth(at, -1); draw(false); });
    on.addEventListener("click", function () { at = inMonth(at, 1); draw(false); });
    month.addEventListener("change", function () { at = inMonth([at[0], Number(month.value), at[2]], 0); draw(false); });
    year.addEventListener("change", function () { at = inMonth([Number(year.value), at[1], at[2]], 0); draw(false); });
    [month, year].forEach(function (one) { one.addEventListener("change", function (event) { event.stopPropagation(); }); });
    body.addEventListener("keydown", function (event) {
      const forth = document.documentElement.dir === "rtl" ? -1 : 1;
      const steps = { ArrowRight: forth, ArrowLeft: -forth, ArrowDown: 7, ArrowUp: -7 };
      if (steps[event.key]) at = moved(at, steps[event.key]);
      else if (event.key === "PageDown") at = inMonth(at, event.shiftKey ? 12 : 1);
      else if (event.key === "PageUp") at = inMonth(at, event.shiftKey ? -12 : -1);
      else if (event.key === "Home") at = moved(at, -weekday(at[0], at[1], at[2]));
      else if (event.key === "End") at = moved(at, 6 - weekday(at[0], at[1], at[2]));
      else return;
      event.preventDefault();
      draw(true);
    });
    draw(true);
    const edges = calendar.getBoundingClientRect();
    if (edges.left < 0 || edges.right > document.documentElement.clientWidth) calendar.classList.add("from-end");
  }

  boxes.forEach(function (box) {
    const input = box.querySelector("input"), button = box.querySelector("button");
    button.hidden = false;
    button.addEventListener("click", function () {
      if (open && open.box === box) close(true);
      else show(box);
    });
    input.addEventListener("input", function () { check(input); });
    check(input);
  });
  document.addEventListener("click", function (event) {
    if (open && !open.box.contains(event.target) && event.target.isConnected) close(false);
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape" && open) { event.stopPropagation(); close(true); }
  });
})();
