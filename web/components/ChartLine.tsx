/** Lines are drawn on a grid of so many units, which stretches to the width of the page. */
export const COURSE_WIDTH = 1000;

/** Renders a line that stretches with the page. */
export function Course({ path, height }: { readonly path: string; readonly height: number }) {
  return (
    <svg
      class="stretched"
      width="100%"
      height={height}
      viewBox={`0 0 ${COURSE_WIDTH} ${height}`}
      preserveAspectRatio="none"
    >
      <path class="line-course" d={path} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

/** Renders a piece of a line for a legend. */
export function Swatch({ name }: { readonly name: string }) {
  return (
    <svg class="swatch" width="20" height="12" aria-hidden="true">
      <line class={name} x1="1" x2="19" y1="6" y2="6" />
    </svg>
  );
}
