// The chosen theme, before the first paint: the one script that the page waits for. Loaded by
// index.html alone; side.js changes the choice. It must do nothing else.
try {
  const theme = localStorage.getItem("hubbub.theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* storage is off: the system's choice holds */ }
