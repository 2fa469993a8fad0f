// mdBook adds plain scripts; a module is imported.
import("https://example.org/plimsoll/embed/widget.js");
