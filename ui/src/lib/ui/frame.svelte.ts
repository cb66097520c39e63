// What comes faster than a screen can show it is shown once a frame.
/** A hidden window has no frames. */
const WITHOUT_FRAMES_MS = 250;

/** `value` as it is, or, while `paced`, at most once a frame. Ends with the component that it is called in. */
export function perFrame<T>(value: () => T, paced: () => boolean): { readonly current: T } {
  let shown = $state.raw(value());
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = 0;
    shown = value();
  };
  $effect(() => {
    void value();
    if (!paced() || frame !== 0) return;
    frame = requestAnimationFrame(show);
    timer = setTimeout(show, WITHOUT_FRAMES_MS);
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
