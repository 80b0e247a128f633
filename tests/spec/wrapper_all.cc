/* Every function of the C++ wrapper, by its address: so it compiles, and links. */
#include <dropwise.hpp>

namespace {

template <class F> int exists(F *function)
{
    return function != nullptr;
}

} // namespace

int main()
{
    int functions = 0;
    functions += exists(dropwise::status_string);
    functions += exists(dropwise::version);
    functions += exists(dropwise::generator_name);
    functions += exists(dropwise::keeps);
    functions += exists(dropwise::draw_bytes);
    functions += exists(dropwise::convert_stored);
    functions += exists(dropwise::forward_view<float>);
    functions += exists(dropwise::backward_view<float>);
    functions += exists(dropwise::draw_view);
    functions += exists(dropwise::isa_name);
    functions += exists(dropwise::isa_check);
    functions += exists(dropwise::isa_select);
    functions += exists(dropwise::isa_active);
    functions += exists(dropwise::isa_reason);
    functions += exists(dropwise::aes_name);
    functions += exists(dropwise::aes_reason);
    functions += exists(dropwise::math_check);
    functions += exists(dropwise::math_reason);
    functions += exists(dropwise::cpu_features);
    functions += exists(dropwise::cpu_feature_name);
    functions += exists(dropwise::part_name);
    functions += exists(dropwise::residual_forward<float>);
    functions += exists(dropwise::residual_backward<float>);
    functions += exists(dropwise::activation_forward<float>);
    functions += exists(dropwise::activation_backward<float>);
    functions += exists(dropwise::softmax_init);
    functions += exists(dropwise::softmax_forward<float>);
    functions += exists(dropwise::softmax_backward<float>);
    functions += exists(dropwise::alpha_forward<float>);
    functions += exists(dropwise::alpha_backward<float>);
    functions += exists(dropwise::zoneout_forward<float>);
    functions += exists(dropwise::zoneout_backward<float>);
    functions += exists(dropwise::concrete_init);
    functions += exists(dropwise::concrete_probability);
    functions += exists(dropwise::concrete_forward<float>);
    functions += exists(dropwise::concrete_backward<float>);
    functions += exists(dropwise::concrete_regularizer<float>);
    functions += exists(dropwise::dropconnect_init);
    functions += exists(dropwise::dropconnect_forward<float>);
    functions += exists(dropwise::dropconnect_backward<float>);
    functions += exists(dropwise::dropconnect_moments<float>);
    functions += exists(dropwise::dropconnect_sample<float>);
    functions += exists(dropwise::dropblock_init);
    functions += exists(dropwise::dropblock_gamma);
    functions += exists(dropwise::dropblock_entries);
    functions += exists(dropwise::dropblock_draw);
    functions += exists(dropwise::dropblock_forward<float>);
    functions += exists(dropwise::dropblock_backward<float>);
    functions += exists(dropwise::layout_name);
    functions += exists(dropwise::interop_bits);
    functions += exists(dropwise::interop_forward<float>);
    functions += exists(dropwise::interop_mask);
    functions += exists(dropwise::jax_key);
    functions += exists(dropwise::jax_fold_in);
    functions += exists(dropwise::jax_split);
    functions += exists(dropwise::jax_split_legacy);
    functions += exists(dropwise::jax_unsafe_rbg_split);
    functions += exists(dropwise::jax_unsafe_rbg_fold_in);
    functions += exists(dropwise::jax_linen_key);
    functions += exists(dropwise::jax_nnx_key);
    functions += exists(dropwise::jax_haiku_key);
    functions += exists(dropwise::jax_keras_key);
    functions += exists(dropwise::interop_jax);
    functions += exists(dropwise::interop_jax_legacy);
    functions += exists(dropwise::interop_jax_rbg);
    functions += exists(dropwise::interop_jax_high);
    functions += exists(dropwise::interop_jax_legacy_high);
    functions += exists(dropwise::interop_jax_rbg_high);
    functions += exists(dropwise::interop_mlx);
    functions += exists(dropwise::interop_tinygrad);
    functions += exists(dropwise::interop_tensorflow);
    functions += exists(dropwise::interop_tensorflow_xla);
    functions += exists(dropwise::interop_tensorflow_stateful);
    functions += exists(dropwise::interop_paddle_cpu);
    functions += exists(dropwise::interop_mxnet_cpu);
    functions += exists(dropwise::interop_onednn_3_6);
    functions += exists(dropwise::interop_onednn_3_11);
    functions += exists(dropwise::interop_onednn_3_11_no_offset);
    functions += exists(dropwise::torch_cuda_launch);
    functions += exists(dropwise::interop_torch_cuda);
    functions += exists(dropwise::mt19937_seed);
    functions += exists(dropwise::mt19937_from_torch);
    functions += exists(dropwise::mt19937_to_torch);
    functions += exists(dropwise::mt19937_words);
    functions += exists(dropwise::mt19937_skip);
    functions += exists(dropwise::mt19937_jump_init);
    functions += exists(dropwise::mt19937_make_jump);
    functions += exists(dropwise::torch_cpu_bits);
    functions += exists(dropwise::torch_cpu_forward<float>);
    functions += exists(dropwise::interop_torch_cpu);
    functions += exists(dropwise::interop_torch_func_random);
    functions += exists(dropwise::interop_inductor_gpu);
    functions += exists(dropwise::interop_inductor_gpu_2_12);
    functions += exists(dropwise::interop_inductor_gpu_2_13);
    functions += exists(dropwise::interop_inductor_cpu);
    functions += exists(dropwise::interop_inductor_cpu_2_12);
    functions += exists(dropwise::interop_triton);
    functions += exists(dropwise::interop_curand);
    functions += exists(dropwise::interop_curand_host);
    functions += exists(dropwise::numpy_key);
    functions += exists(dropwise::interop_numpy);
    functions += exists(dropwise::numpy_pcg64_seed);
    functions += exists(dropwise::interop_numpy_pcg64);
    functions += exists(dropwise::interop_onemkl);
    functions += exists(dropwise::interop_onemkl_bernoulli);
    functions += exists(dropwise::interop_onemkl_mcg31);
    functions += exists(dropwise::interop_flash_attention_2);
    functions += exists(dropwise::interop_transformer_engine);
    functions += exists(dropwise::onnx_runtime_launch);
    functions += exists(dropwise::interop_onnx_runtime);
    functions += exists(dropwise::interop_onnx_runtime_cpu);
    functions += exists(dropwise::interop_onnx_runtime_web);
    functions += exists(dropwise::deepspeed_launch);
    functions += exists(dropwise::interop_deepspeed);
#ifndef DROPWISE_WITHOUT_ATTENTION
    functions += exists(dropwise::attention_init);
    functions += exists(dropwise::attention_workspace);
    functions += exists(dropwise::attention_forward<float>);
    functions += exists(dropwise::attention_backward<float>);
    functions += exists(dropwise::draw_bits_rows);
    functions += exists(dropwise::attention_tile_forward<float>);
    functions += exists(dropwise::attention_rows_end<float>);
    functions += exists(dropwise::attention_delta<float>);
    functions += exists(dropwise::attention_tile_backward<float>);
#endif
    return functions > 0 ? 0 : 1;
}
