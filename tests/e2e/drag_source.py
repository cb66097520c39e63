"""A small window from which files can be dragged, so that a test can drop them with real X11 drag and drop.

    drag_source.py X Y FILE...

Opens at X,Y (pixels of the screen), prints "ready", and after each drag one line: "accepted" or "refused".
Ends when its standard input closes.
"""

import pathlib
import sys

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GLib, Gtk  # noqa: E402

SIZE_PX = 40


def say(word):
    print(word, flush=True)


def main():
    x, y = int(sys.argv[1]), int(sys.argv[2])
    uris = [pathlib.Path(name).absolute().as_uri() for name in sys.argv[3:]]

    # A popup is placed where it says, with or without a window manager.
    window = Gtk.Window(type=Gtk.WindowType.POPUP)
    window.set_default_size(SIZE_PX, SIZE_PX)
    box = Gtk.EventBox()
    window.add(box)
    targets = [Gtk.TargetEntry.new("text/uri-list", 0, 0)]
    box.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, targets, Gdk.DragAction.COPY)
    box.connect("drag-data-get", lambda _box, _context, data, _info, _time: data.set_uris(uris))
    refused = []
    box.connect("drag-failed", lambda *_: refused.append(True) or False)
    box.connect("drag-end", lambda *_: (say("refused" if refused else "accepted"), refused.clear()))
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_HUP | GLib.IO_IN, lambda *_: Gtk.main_quit())
    window.connect("map-event", lambda *_: say("ready"))
    window.move(x, y)
    window.show_all()
    Gtk.main()


main()
