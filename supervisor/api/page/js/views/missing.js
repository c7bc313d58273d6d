import { h } from "../dom.js";

/** What is shown at an address that names nothing. */
export class Missing {
  title = "Not found";

  render() {
    return h("div", {}, h("h1", {}, "There is nothing here"),
      h("p", { class: "empty" }, "The address names no part of this page. ", h("a", { href: "#/" }, "All deployments")));
  }
}
