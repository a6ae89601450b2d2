"use strict";
(function () {
  const byId = (id) => document.getElementById(id);
  const main = byId("cards"), find = byId("find"), show = byId("show"), sort = byId("sort");
  const cards = Array.from(main.querySelectorAll(".card"));
  const place = "gclnm-contours-" + document.body.dataset.page;
  const tick = (card) => card.querySelector(".tick");
  const reason = (card) => card.querySelector(".reason");
  const ticked = () => cards.filter((card) => tick(card).checked);

  // Ticks survive a reload where the browser keeps storage for local files.
  function remember() {
    const kept = {};
    for (const card of ticked()) kept[card.dataset.id] = reason(card).value;
    try { localStorage.setItem(place, JSON.stringify(kept)); } catch (error) { /* no storage */ }
  }
  function recall() {
    let kept = {};
    try { kept = JSON.parse(localStorage.getItem(place)) || {}; } catch (error) { /* no storage */ }
    for (const card of cards) {
      if (Object.hasOwn(kept, card.dataset.id)) {
        tick(card).checked = true;
        reason(card).value = String(kept[card.dataset.id]);
      }
    }
  }
  function paint() {
    for (const card of cards) {
      const on = tick(card).checked;
      card.classList.toggle("ticked", on);
      reason(card).hidden = !on;
      if (!on || reason(card).value.trim()) reason(card).classList.remove("missing");
    }
    const n = ticked().length;
    byId("save").disabled = n === 0;
    byId("save").textContent = n ? "Save exclusion list (" + n + ")" : "Save exclusion list";
    if (!cards.some((card) => reason(card).classList.contains("missing"))) byId("hint").hidden = true;
  }
  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const card of cards) {
      const fits = words.every((word) => card.dataset.search.includes(word)) &&
        (show.value !== "odd" || card.classList.contains("odd")) &&
        (show.value !== "ticked" || tick(card).checked);
      card.hidden = !fits;
      n += fits;
    }
    byId("count").textContent = n === cards.length ? n + " samples" : n + " of " + cards.length + " samples";
    byId("none").hidden = n > 0;
  }
  function arrange() {
    const key = sort.value, number = key === "score" || key === "volume";
    const order = cards.map((card, index) => [card, index]);
    order.sort(([a, i], [b, j]) => (number
      ? Number(b.dataset[key]) - Number(a.dataset[key])
      : a.dataset[key].localeCompare(b.dataset[key], undefined, { numeric: true })) || i - j);
    for (const [card] of order) main.appendChild(card);
  }
  const quoted = (text) => '"' + text.replaceAll('"', '""') + '"';
  function save() {
    const bare = ticked().filter((card) => !reason(card).value.trim());
    if (bare.length) {
      for (const card of bare) { card.hidden = false; reason(card).classList.add("missing"); }
      byId("hint").hidden = false;
      reason(bare[0]).focus();
      return;
    }
    const rows = ticked().map((card) => card.dataset.id + "," + quoted(reason(card).value.trim()));
    const blob = new Blob(["sample_id,reason\r\n" + rows.join("\r\n") + "\r\n"], { type: "text/csv" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "exclusions.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  main.addEventListener("input", () => { paint(); remember(); });
  main.addEventListener("change", (event) => {
    if (event.target.classList.contains("tick") && event.target.checked) {
      const field = reason(event.target.closest(".card"));
      field.hidden = false;
      field.focus();
    }
  });
  find.addEventListener("input", filter);
  show.addEventListener("change", filter);
  sort.addEventListener("change", arrange);
  byId("save").addEventListener("click", save);
  for (const chip of document.querySelectorAll(".chip")) {
    chip.addEventListener("click", () => {
      find.value = find.value === chip.dataset.find ? "" : chip.dataset.find;
      filter();
    });
  }
  recall();
  paint();
  filter();
})();
