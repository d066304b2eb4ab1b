(() => {
  const shown = () => document.querySelector("main");
  let newest = Number(shown().dataset.newest);
  const refresh = async () => {
    try {
      const reading = !getSelection().isCollapsed;
      if (!document.hidden && !reading) {
        const answer = await fetch(location.href, { cache: "no-store" });
        if (!answer.ok) throw new Error(answer.status);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const next = page.querySelector("main");
        for (const item of next.querySelectorAll("li")) {
          if (Number(item.dataset.number) > newest) item.classList.add("new");
        }
        newest = Number(next.dataset.newest);
        document.title = page.title;
        shown().replaceWith(next);
        document.body.classList.remove("stale");
      }
    } catch {
      document.body.classList.add("stale");
    }
    setTimeout(refresh, 2000);
  };
  setTimeout(refresh, 2000);
})();
