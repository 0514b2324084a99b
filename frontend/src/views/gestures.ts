import type { RefObject } from 'preact';
import { useRef } from 'preact/hooks';
import { cellAt, pitchX, pitchY } from '../render/layout';
import type { Store } from '../state/store';
import type { MapModel } from './mapmodel';
import { panTo, zoomAt } from './zoom';

/** A press that moves less than this is a press, not a drag. */
const DRAG_FROM = 4;

interface Point {
  x: number;
  y: number;
}

interface Drag {
  readonly from: Point;
  readonly query: number;
  readonly key: number;
  moved: boolean;
}

interface Gestures {
  onPointerDown(event: PointerEvent): void;
  onPointerMove(event: PointerEvent): void;
  onPointerUp(event: PointerEvent): void;
  onPointerCancel(event: PointerEvent): void;
  onWheel(event: WheelEvent): void;
}

/** Pointing, dragging, the wheel and two fingers, on one map. */
export function useGestures(
  store: Store,
  model: MapModel,
  canvas: RefObject<HTMLCanvasElement | null>,
): Gestures {
  const pointers = useRef(new Map<number, Point>());
  const drag = useRef<Drag | null>(null);

  const place = (event: MouseEvent): Point => {
    const box = canvas.current?.getBoundingClientRect();
    return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
  };
  const point = ({ x, y }: Point) => {
    const layout = model.layout.peek();
    const { queries, keys } = model.region.peek();
    const at = layout && cellAt(layout, queries, keys, x, y);
    if (at) store.cursor.set(at);
  };
  /** Two fingers: what is between them stays there, as far apart as they are. */
  const pinch = (id: number, to: Point): void => {
    const before = [...pointers.current.values()];
    pointers.current.set(id, to);
    const after = [...pointers.current.values()];
    const [a, b] = [distance(before), distance(after)];
    if (a < 8 || b < 8) return;
    const x = ((after[0]?.x ?? 0) + (after[1]?.x ?? 0)) / 2;
    const y = ((after[0]?.y ?? 0) + (after[1]?.y ?? 0)) / 2;
    zoomAt(store, model, b / a, x, y);
  };
  const end = (event: PointerEvent) => {
    pointers.current.delete(event.pointerId);
    drag.current = null;
    canvas.current?.classList.remove('dragging');
  };
  return {
    onPointerDown(event) {
      const at = place(event);
      point(at);
      if (event.button !== 0) return;
      pointers.current.set(event.pointerId, at);
      canvas.current?.setPointerCapture(event.pointerId);
      const layout = model.layout.peek();
      drag.current =
        layout && store.view.zoom.peek() > 1 && pointers.current.size === 1
          ? { from: at, query: layout.firstQuery, key: layout.firstKey, moved: false }
          : null;
    },
    onPointerMove(event) {
      const at = place(event);
      if (pointers.current.size === 2 && pointers.current.has(event.pointerId)) {
        pinch(event.pointerId, at);
        return;
      }
      const start = drag.current;
      const layout = model.layout.peek();
      if (!start || !layout) {
        point(at);
        return;
      }
      const dx = at.x - start.from.x;
      const dy = at.y - start.from.y;
      if (!start.moved && Math.hypot(dx, dy) < DRAG_FROM) return;
      start.moved = true;
      canvas.current?.classList.add('dragging');
      panTo(store, model, {
        query: start.query - dy / pitchY(layout),
        key: start.key - dx / pitchX(layout),
      });
    },
    onPointerUp: end,
    onPointerCancel: end,
    onWheel(event) {
      event.preventDefault();
      const { x, y } = place(event);
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      // A pinch on a touchpad comes as a wheel with Ctrl, in much smaller portions.
      const speed = event.ctrlKey ? 0.01 : 0.002;
      zoomAt(store, model, Math.exp(-event.deltaY * lines * speed), x, y);
    },
  };
}

function distance([a, b]: Point[]): number {
  return a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
}
