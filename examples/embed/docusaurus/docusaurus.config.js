// The lines to add to a Docusaurus configuration.
export default {
  scripts: [{ src: "https://example.org/plimsoll/embed/widget.js", type: "module" }],
};
