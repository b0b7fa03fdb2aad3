// Lets tables and the search box choose a supernova; shows a first one when the page opens.
(() => {
  const find = (name) => {
    for (const doc of window.Bokeh?.documents ?? []) {
      const model = doc.get_model_by_name(name);
      if (model) {
        return model;
      }
    }
    return null;
  };
  const choose = (row) => {
    find("stars").selected.indices = [row];
  };
  const choose_name = (name) => {
    const row = find("stars")?.data.sn.indexOf(name) ?? -1;
    if (row >= 0) {
      choose(row);
    }
    return row >= 0;
  };

  const panel = document.getElementById("light-curve");
  if (panel === null) {
    return;
  }
  for (const button of document.querySelectorAll("button[data-sn]")) {
    button.addEventListener("click", () => {
      if (choose_name(button.dataset.sn)) {
        panel.scrollIntoView({block: "start", behavior: "smooth"});
      }
    });
  }
  const search = document.getElementById("search");
  search?.addEventListener("input", () => choose_name(search.value.trim()));

  const start = () => {
    if (find("stars") === null || !window.Bokeh.documents.every((doc) => doc.is_idle)) {
      window.setTimeout(start, 50);
    } else if (find("stars").selected.indices.length === 0) {
      choose(Number(panel.dataset.first));
    }
  };
  start();
})();
