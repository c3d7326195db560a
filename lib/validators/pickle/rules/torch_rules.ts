import type { Rule } from "./rule.ts";

// Beside each entry stands what arguments and a state of an attacker's choice do, as in `rule.ts`.

/** What torch's files are made of besides: tensors, their storages and kinds. */
export const TORCH_RULES: readonly Rule[] = [
  // Views of storages that torch itself has made; it holds sizes and strides against them. Hooks are called when a
  // gradient is computed, which loading does not. Not nested tensors: their sizes are not checked.
  [
    /^torch\._utils:_rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state|sparse_tensor|sparse_csr_tensor|qtensor|meta_tensor_no_storage)$/,
    { use: "call", takes: /^torch:\w+$/, makes: "stored" },
  ],
  [/^torch(\.cuda|\.storage)?:\w+Storage$/, { use: "value" }],
  // Copies numbers: those of a tuple or list, as a range would be made into as many.
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
 * Classes of C++ that layers of models keep their weights in. Others, of libraries that register their own with torch, open
 * files and connections: `torch.classes.torchvision.Video`.
 */
export const NATIVE_CLASS =
  /^__torch__\.torch\.classes\.(quantized|rnn|sparse|xnnpack|mkldnn|tensorrt)[.:]\w+$/;

/**
 * What TorchScript's archives have besides. torch reads them in C++, which imports nothing: `__torch__` are the types of
 * the code in the archive, and there is no such module of Python's.
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
  // Give back their first argument.
  [
    /^torch\.jit\._pickle:(build_(int|tensor|double|bool)list|build_tensor_from_id|restore_type_tag)$/,
    { use: "call", makes: "stored" },
  ],
];
