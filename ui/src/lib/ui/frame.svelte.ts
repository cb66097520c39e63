// What comes faster than a screen can show it is shown once a frame; what takes long to show, less often.
/** A hidden window has no frames. */
const WITHOUT_FRAMES_MS = 250;
/** Showing may take a quarter of the time at most. */
const REST_FACTOR = 3;

/**
 * `value` as it is, or, while `paced`, at most once a frame, and with a rest of three times `costMs`, which is how long
 * showing it took last. Ends with the component that it is called in.
 */
export function perFrame<T>(value: () => T, paced: () => boolean, costMs: () => number = () => 0): { readonly current: T } {
  let shown = $state.raw(value());
  let shownAt = 0;
  let waiting = false;
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    waiting = false;
    shownAt = performance.now();
    shown = value();
  };
  const nextFrame = () => {
    frame = requestAnimationFrame(show);
    timer = setTimeout(show, WITHOUT_FRAMES_MS);
  };
  $effect(() => {
    void value();
    if (!paced() || waiting) return;
    waiting = true;
    const rest = shownAt + costMs() * REST_FACTOR - performance.now();
    if (rest > 0) timer = setTimeout(nextFrame, rest);
    else nextFrame();
  });
  $effect(() => () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  });
  return {
    get current() {
      return paced() ? shown : value();
    },
  };
}
