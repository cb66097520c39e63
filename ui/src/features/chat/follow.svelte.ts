// Whether what comes at the end is followed. The smallest step up leaves the end; reaching the end again, or the button,
// comes back to it.
const AT_END_PX = 2;

export class FollowEnd {
  following = $state(true);

  #scroller: HTMLElement | null = null;
  #lastTop = 0;
  #lastHeight = 0;

  /** For an attachment on the element that scrolls. */
  attach(scroller: HTMLElement): () => void {
    this.#scroller = scroller;
    // Less room for what is read: the composer grows, or the window changes.
    const sizes = new ResizeObserver(() => this.grown());
    sizes.observe(scroller);

    const wheel = (event: WheelEvent) => {
      if (event.deltaY < 0) this.leave();
    };
    const keys = (event: KeyboardEvent) => {
      if (["ArrowUp", "PageUp", "Home"].includes(event.key)) this.leave();
    };
    const scrolled = () => {
      const { scrollTop, scrollHeight, clientHeight } = scroller;
      const atEnd = scrollHeight - scrollTop - clientHeight <= AT_END_PX;
      // Less content moves what is seen, too; that is nobody's wish.
      if (scrollTop < this.#lastTop && !atEnd && scrollHeight >= this.#lastHeight) this.leave();
      else if (scrollTop > this.#lastTop && atEnd) this.following = true;
      this.#lastTop = scrollTop;
      this.#lastHeight = scrollHeight;
    };
    scroller.addEventListener("wheel", wheel, { passive: true });
    scroller.addEventListener("keydown", keys);
    scroller.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      sizes.disconnect();
      scroller.removeEventListener("wheel", wheel);
      scroller.removeEventListener("keydown", keys);
      scroller.removeEventListener("scroll", scrolled);
      this.#scroller = null;
    };
  }

  /** What is read became longer or shorter. */
  grown(): void {
    const scroller = this.#scroller;
    if (!scroller) return;
    if (this.following) scroller.scrollTop = scroller.scrollHeight;
    this.#lastHeight = scroller.scrollHeight;
  }

  jump(): void {
    this.following = true;
    const scroller = this.#scroller;
    if (scroller) scroller.scrollTop = scroller.scrollHeight;
  }

  leave(): void {
    const scroller = this.#scroller;
    // What does not scroll has no end to leave.
    if (scroller && scroller.scrollHeight > scroller.clientHeight) this.following = false;
  }
}
