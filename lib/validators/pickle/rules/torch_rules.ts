import type { Rule } from "./rule.ts";

/** Tensors of torch, their storages and types. */
export const TORCH_RULES: readonly Rule[] = [
  // Create views of storages that torch itself created, and check sizes and strides against them. Hooks are only called when
  // gradients are computed. Nested tensors are not allowed, because torch does not check their sizes.
  [
    /^torch\._utils:_rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state|sparse_tensor|sparse_csr_tensor|qtensor|meta_tensor_no_storage)$/,
    { use: "call", takes: /^torch:\w+$/, makes: "stored" },
  ],
  [/^torch(\.cuda|\.storage)?:\w+Storage$/, { use: "value" }],
  // Copies the numbers of a tuple or list. From a range, it would create any number of them.
  [/^torch:Size$/, { use: "call", checks: "shape", makes: "stored" }],
  // Parses a name and a number.
  [/^torch:device$/, { use: "call", checks: "constants", makes: "stored" }],
  [
    /^torch:(Tensor|q?u?int\d+|b?float\d+\w*|complex\d+|double|half|bool|strided|sparse_co[ol]|contiguous_format|per_(tensor|channel)_affine(_symmetric)?)$/,
    { use: "value" },
  ],
  [/^torch\.nn\.parameter:(Parameter|Buffer)$/, { use: "value" }],
  // Looks a layout up by its name.
  [/^torch\.serialization:_get_layout$/, { use: "call", checks: "constants", makes: "stored" }],
];

/**
 * C++ classes in which layers keep their weights. Libraries can register others with torch, which open files and
 * connections: `torch.classes.torchvision.Video`.
 */
export const NATIVE_CLASS =
  /^__torch__\.torch\.classes\.(quantized|rnn|sparse|xnnpack|mkldnn|tensorrt)[.:]\w+$/;

/**
 * Further imports in archives of TorchScript. torch reads them in C++, which imports nothing: `__torch__` stands for the
 * types in the archive's own code, and Python has no such module.
 */
export const TORCHSCRIPT_RULES: readonly Rule[] = [
  [NATIVE_CLASS, { use: "call", isMadeToo: true, state: "script", takes: /^/, makes: "script" }],
  [/^__torch__(?!\.torch\.classes(\.|$))(\.\w+)*:\w+$/, {
    use: "call",
    isMadeToo: true,
    state: "script",
    takes: /^/,
    makes: "script",
  }],
  // Return their first argument.
  [
    /^torch\.jit\._pickle:(build_(int|tensor|double|bool)list|build_tensor_from_id|restore_type_tag)$/,
    { use: "call", makes: "stored" },
  ],
];
