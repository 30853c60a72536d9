"use strict";
// Charts are drawn while the page is still being laid out: give them their final width once it is complete.
addEventListener("load", () => {
  for (const chart of document.querySelectorAll(".plotly-graph-div")) Plotly.Plots.resize(chart);
});

// Steps through the embedded frames, shows and hides what is drawn over them; "#frame=12" in the address opens a frame.
(() => {
  const movie = document.getElementById("movie");
  if (!movie) return;
  const slider = movie.querySelector("#frame-slider");
  const frames = JSON.parse(slider.dataset.frames);
  const output = movie.querySelector("output");
  const play = movie.querySelector("#frame-play");
  let timer = null;

  function show(index) {
    slider.value = index;
    output.textContent = "frame " + frames[index];
    movie.dataset.shown = frames[index];
    for (const part of movie.querySelectorAll("[data-frame]")) {
      part.classList.toggle("off", Number(part.dataset.frame) !== frames[index]);
    }
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶ play";
  }

  function follow() {
    const asked = /^#frame=(\d+)$/.exec(location.hash);
    const index = asked ? frames.indexOf(Number(asked[1])) : -1;
    if (index < 0) return;
    stop();
    show(index);
    movie.scrollIntoView();
  }

  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    play.textContent = "❚❚ pause";
    timer = setInterval(() => show((Number(slider.value) + 1) % frames.length), 600);
  });
  for (const box of movie.querySelectorAll("input[data-layer]")) {
    const apply = () => {
      for (const path of movie.querySelectorAll(".screen ." + box.dataset.layer)) path.classList.toggle("off", !box.checked);
    };
    box.addEventListener("change", apply);
    apply();
  }
  addEventListener("hashchange", follow);
  show(Number(slider.value));
  follow();
})();
