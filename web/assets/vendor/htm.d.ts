// The types of the file beside it come from the package.
export { default } from "htm";
