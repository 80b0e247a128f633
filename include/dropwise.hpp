/*
 * dropwise for C++11 and later: a thin layer over the C headers, in this header alone.
 *
 *     dropwise::mask mask(0.1, seed, stream);
 *     mask.forward(x, y);                      // std::vector, std::array, arrays, std::span, ...
 *     mask.backward(dy, dx);
 *     mask.forward(dropwise::view({n, c, h, w}).share({2, 3}), x.data(), y.data());
 *     dropwise::residual_forward(mask, view, x.data(), bias.data(), nullptr, y.data());
 *
 * Every function of the C headers is here, without the prefix; masks, views and ranges have methods, too. The
 * dtype is that of the elements. Structs are references, and what may be NULL is a pointer. Contracts, and
 * the errors of each function, are those of the C headers: n, first, sizes and strides count elements, sizes
 * of workspaces and stored masks bytes, p is the probability of being dropped.
 *
 * A call that is refused throws dropwise::error, whose what() says which argument is wrong
 * ("dropwise_forward: y overlaps x by 64 bytes"), and then nothing was written. Where exceptions are not
 * wanted, or are turned off,
 *
 *     #define DROPWISE_STATUSES                // before this header
 *
 * makes all calls return a dropwise_status instead. A mask or a view that could not be made is refused by all
 * calls then (STRUCT_SIZE); its status() says why.
 */
#ifndef DROPWISE_HPP
#define DROPWISE_HPP

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <dropwise.h>
#include <dropwise_attention.h>
#include <dropwise_dropblock.h>
#include <dropwise_dropconnect.h>
#include <dropwise_fused.h>
#include <dropwise_interop.h>
#include <dropwise_variants.h>

#if !defined(DROPWISE_STATUSES) && defined(__GNUC__) && !defined(__EXCEPTIONS)
#define DROPWISE_STATUSES
#endif

namespace dropwise {

/* ---- Errors ------------------------------------------------------------------------------- */

/* Units of a program that choose differently have different functions. */
#ifdef DROPWISE_STATUSES
inline namespace returning {

typedef dropwise_status result;

inline result end(dropwise_status status, const char *)
{
    return status;
}

#else
inline namespace throwing {

/* What a C function refused, and why. */
class error : public std::invalid_argument {
public:
    explicit error(dropwise_status status)
        : std::invalid_argument(dropwise_status_string(status)), status_(status)
    {
    }

    error(dropwise_status status, const char *what) : std::invalid_argument(what), status_(status)
    {
    }

    dropwise_status status() const noexcept
    {
        return status_;
    }

private:
    dropwise_status status_;
};

typedef void result;

inline result end(dropwise_status status, const char *what)
{
    if (status != DROPWISE_OK)
        throw error(status, what);
}

#endif

/* The result of a C function that was called without this header. */
inline result check(dropwise_status status)
{
    return end(status, dropwise_status_string(status));
}

template <class T> struct identity {
    typedef T type;
};

/* T itself, which is not deduced from this argument: nullptr may stand for it. */
template <class T> using same = typename identity<T>::type;

/* As dropwise_explain takes arguments: pointers as they are, and pointers to numbers. */
template <class T> const void *argument(T *const &pointer)
{
    return pointer;
}

template <class T> const void *argument(const T &number)
{
    return &number;
}

/* A C function by its name: the arguments become what it has them as. */
template <class... Parameters>
result call(const char *name, dropwise_status (*function)(Parameters...), same<Parameters>... arguments)
{
    const dropwise_status status = function(arguments...);
    if (status == DROPWISE_OK)
        return end(status, "");
#ifdef DROPWISE_STATUSES
    return (void)name, end(status, "");
#else
    const void *const all[] = {argument(arguments)..., nullptr};
    char text[400];
    dropwise_explain(status, name, all, text, sizeof text);
    return end(status, text);
#endif
}

/* ---- Elements ----------------------------------------------------------------------------- */

/* Element types that C++ has no name for, by their bits. */
struct f16 {
    std::uint16_t bits;
};
struct bf16 {
    std::uint16_t bits;
};
struct f8_e4m3 {
    std::uint8_t bits;
};
struct f8_e5m2 {
    std::uint8_t bits;
};

/* The number of an element type; specialise it for a type of your own with the same representation. */
template <class T> struct dtype_of;
template <> struct dtype_of<float> : std::integral_constant<dropwise_dtype, DROPWISE_F32> {
};
template <> struct dtype_of<double> : std::integral_constant<dropwise_dtype, DROPWISE_F64> {
};
template <> struct dtype_of<f16> : std::integral_constant<dropwise_dtype, DROPWISE_F16> {
};
template <> struct dtype_of<bf16> : std::integral_constant<dropwise_dtype, DROPWISE_BF16> {
};
template <> struct dtype_of<f8_e4m3> : std::integral_constant<dropwise_dtype, DROPWISE_F8_E4M3> {
};
template <> struct dtype_of<f8_e5m2> : std::integral_constant<dropwise_dtype, DROPWISE_F8_E5M2> {
};

/* What elements of a type are computed in, and sums of them are. */
template <class T>
using real = typename std::conditional<dtype_of<T>::value == DROPWISE_F64, double, float>::type;

/* Contiguous elements, of an array or of anything with data() and size(). */
template <class T> struct span {
    T *data;
    std::size_t size;
};

template <class C>
auto span_of(C &container) -> span<typename std::remove_reference<decltype(*container.data())>::type>
{
    return {container.data(), container.size()};
}

template <class T, std::size_t N> span<T> span_of(T (&array)[N])
{
    return {array, N};
}

/* There is such a type of what has elements only. */
template <class C> using if_elements = decltype(span_of(std::declval<C &>()));

/* ---- Views and masks ---------------------------------------------------------------------- */

/* A dropwise_view, built step by step. */
class view {
public:
    explicit view(const std::vector<std::uint64_t> &size) : view_(), status_(DROPWISE_OK)
    {
        done(dropwise_view_init(&view_, static_cast<std::uint32_t>(size.size()), size.data()),
             "dropwise_view_init: the number of sizes is not 1 to 8, or they are too many elements");
    }

    view &share(std::initializer_list<unsigned> dimensions)
    {
        std::uint32_t set = 0;
        for (unsigned d : dimensions)
            set |= d < DROPWISE_MAX_RANK ? std::uint32_t(1) << d : std::uint32_t(1) << DROPWISE_MAX_RANK;
        return done(dropwise_view_share(&view_, set), "dropwise_view_share: a dimension is beyond the rank");
    }

    view &noise_shape(const std::vector<std::uint64_t> &shape)
    {
        return done(shape.size() != view_.rank ? DROPWISE_ERROR_SHAPE
                                               : dropwise_view_noise_shape(&view_, shape.data()),
                    "dropwise_view_noise_shape: a size is neither 1 nor the view's, or their number is not");
    }

    view &shard(const std::vector<std::uint64_t> &start, const std::vector<std::uint64_t> &size)
    {
        return done(start.size() != view_.rank || size.size() != view_.rank
                        ? DROPWISE_ERROR_SHAPE
                        : dropwise_view_shard(&view_, start.data(), size.data()),
                    "dropwise_view_shard: the rectangle is not inside");
    }

    view &pack()
    {
        return done(dropwise_view_pack(&view_), "dropwise_view_pack: the view is not a good one");
    }

    dropwise_status status() const noexcept
    {
        return status_;
    }

    /* The C struct, to read and to change. */
    dropwise_view *get() noexcept
    {
        return &view_;
    }

    const dropwise_view *get() const noexcept
    {
        return &view_;
    }

private:
    view &done(dropwise_status status, const char *what)
    {
        if (status != DROPWISE_OK) {
            static_cast<void>(end(status, what)); /* throws, or this view is refused from now on */
            view_.struct_size = 0;
            status_ = status_ == DROPWISE_OK ? status : status_;
        }
        return *this;
    }

    dropwise_view view_;
    dropwise_status status_;
};

/* A dropwise_mask. Elements are [first, first + size) of the tensor. */
class mask {
public:
    mask(double p, std::uint64_t seed, std::uint64_t stream = 0)
        : mask_(), status_(dropwise_mask_init(&mask_, p, seed, stream))
    {
        static_cast<void>(end(status_, "dropwise_mask_init: p is NaN or outside [0, 1]"));
    }

    explicit mask(const dropwise_mask &c_mask) : mask_(c_mask), status_(DROPWISE_OK)
    {
    }

    dropwise_status status() const noexcept
    {
        return status_;
    }

    /* Whether backward functions add to their outputs. */
    mask &accumulate(bool adds = true) noexcept
    {
        mask_.flags = adds ? DROPWISE_ACCUMULATE : 0;
        return *this;
    }

    dropwise_mask *get() noexcept
    {
        return &mask_;
    }

    const dropwise_mask *get() const noexcept
    {
        return &mask_;
    }

    /* y = dropout(x), of the same size; the packed keep bits are written unless NULL. */
    template <class X, class Y, class = if_elements<const X>>
    result forward(const X &x, Y &&y, std::uint64_t first = 0, void *bits = nullptr) const
    {
        const auto from = span_of(x);
        const auto to = span_of(y);
        return from.size == to.size ? forward(from.data, to.data, from.size, first, bits) : sizes();
    }

    template <class T>
    result forward(const T *x, T *y, std::size_t n, std::uint64_t first = 0, void *bits = nullptr) const
    {
        return call("dropwise_forward", dropwise_forward, get(), dtype_of<T>::value, first, n, x, y, bits);
    }

    /* dx = dropout(dy) by the same mask, drawn again, or by bits. */
    template <class X, class Y, class = if_elements<const X>>
    result backward(const X &dy, Y &&dx, std::uint64_t first = 0, const void *bits = nullptr) const
    {
        const auto from = span_of(dy);
        const auto to = span_of(dx);
        return from.size == to.size ? backward(from.data, to.data, from.size, first, bits) : sizes();
    }

    template <class T>
    result backward(const T *dy, T *dx, std::size_t n, std::uint64_t first = 0,
                    const void *bits = nullptr) const
    {
        return call("dropwise_backward", dropwise_backward, get(), dtype_of<T>::value, first, n, dy, dx,
                    bits);
    }

    /* At inference. */
    template <class X, class Y, class = if_elements<const X>> result infer(const X &x, Y &&y) const
    {
        const auto from = span_of(x);
        const auto to = span_of(y);
        return from.size == to.size ? infer(from.data, to.data, from.size) : sizes();
    }

    template <class T> result infer(const T *x, T *y, std::size_t n) const
    {
        return call("dropwise_infer", dropwise_infer, get(), dtype_of<T>::value, n, x, y);
    }

    template <class T>
    result forward(const view &v, const T *x, T *y, const dropwise_stored *stored = nullptr) const
    {
        return call("dropwise_forward_view", dropwise_forward_view, get(), dtype_of<T>::value, v.get(), x, y,
                    stored);
    }

    template <class T>
    result backward(const view &v, const T *dy, T *dx, const dropwise_stored *stored = nullptr) const
    {
        return call("dropwise_backward_view", dropwise_backward_view, get(), dtype_of<T>::value, v.get(), dy,
                    dx, stored);
    }

    /* Packed keep bits of n elements; none if they cannot be drawn. */
    std::vector<std::uint8_t> bits(std::size_t n, std::uint64_t first = 0) const
    {
        std::vector<std::uint8_t> packed(n / 8 + (n % 8 != 0));
        const dropwise_status status = dropwise_draw_bits(get(), first, n, packed.data());
        if (status != DROPWISE_OK) {
            packed.clear();
            static_cast<void>(end(status, "dropwise_draw_bits: the mask or the range is not a good one"));
        }
        return packed;
    }

private:
    static result sizes()
    {
        return end(DROPWISE_ERROR_SHAPE, "the sizes of the input and of the output differ");
    }

    dropwise_mask mask_;
    dropwise_status status_;
};

/* ---- All functions ------------------------------------------------------------------------ */

/* dropwise.h */

inline const char *status_string(dropwise_status status)
{
    return dropwise_status_string(status);
}

inline const char *version()
{
    return dropwise_version();
}

inline const char *generator_name(std::uint32_t generator)
{
    return dropwise_generator_name(generator);
}

inline result keeps(const mask &m, std::uint64_t index, std::uint32_t &kept)
{
    return call("dropwise_keeps", dropwise_keeps, m.get(), index, &kept);
}

inline result draw_bytes(const mask &m, std::uint64_t first_block, std::size_t n, void *bytes)
{
    return call("dropwise_draw_bytes", dropwise_draw_bytes, m.get(), first_block, n, bytes);
}

inline result convert_stored(const mask &m, dropwise_dtype dtype, std::uint64_t rows,
                             std::uint64_t row_length, const dropwise_stored &from, const dropwise_stored &to)
{
    return call("dropwise_convert_stored", dropwise_convert_stored, m.get(), dtype, rows, row_length, &from,
                &to);
}

template <class T>
result forward_view(const mask &m, const view &v, const T *x, T *y, const dropwise_stored *stored = nullptr)
{
    return call("dropwise_forward_view", dropwise_forward_view, m.get(), dtype_of<T>::value, v.get(), x, y,
                stored);
}

template <class T>
result backward_view(const mask &m, const view &v, const T *dy, T *dx,
                     const dropwise_stored *stored = nullptr)
{
    return call("dropwise_backward_view", dropwise_backward_view, m.get(), dtype_of<T>::value, v.get(), dy,
                dx, stored);
}

inline result draw_view(const mask &m, dropwise_dtype dtype, const view &v, const dropwise_stored &stored)
{
    return call("dropwise_draw_view", dropwise_draw_view, m.get(), dtype, v.get(), &stored);
}

inline const char *isa_name(dropwise_isa isa)
{
    return dropwise_isa_name(isa);
}

inline result isa_check(dropwise_isa isa)
{
    return call("dropwise_isa_check", dropwise_isa_check, isa);
}

inline result isa_select(dropwise_isa isa)
{
    return call("dropwise_isa_select", dropwise_isa_select, isa);
}

inline dropwise_isa isa_active()
{
    return dropwise_isa_active();
}

inline const char *isa_reason()
{
    return dropwise_isa_reason();
}

inline const char *aes_name()
{
    return dropwise_aes_name();
}

inline const char *aes_reason()
{
    return dropwise_aes_reason();
}

inline result math_check()
{
    return call("dropwise_math_check", dropwise_math_check);
}

inline const char *math_reason()
{
    return dropwise_math_reason();
}

inline std::uint64_t cpu_features()
{
    return dropwise_cpu_features();
}

inline const char *part_name(std::uint32_t k)
{
    return dropwise_part_name(k);
}

inline const char *cpu_feature_name(std::uint32_t k)
{
    return dropwise_cpu_feature_name(k);
}

/* dropwise_fused.h */

template <class T>
result residual_forward(const mask &m, const view &v, const T *x, const same<T> *bias,
                        const same<T> *residual, T *y, const dropwise_stored *stored = nullptr)
{
    return call("dropwise_residual_forward", dropwise_residual_forward, m.get(), dtype_of<T>::value, v.get(),
                x, bias, residual, y, stored);
}

template <class T>
result residual_backward(const mask &m, const view &v, const T *dy, T *dx, real<T> *dbias,
                         const dropwise_stored *stored = nullptr)
{
    return call("dropwise_residual_backward", dropwise_residual_backward, m.get(), dtype_of<T>::value,
                v.get(), dy, dx, dbias, stored);
}

template <class T>
result activation_forward(const mask &m, const view &v, dropwise_activation activation, const T *x,
                          const same<T> *bias, T *y, const dropwise_stored *stored = nullptr)
{
    return call("dropwise_activation_forward", dropwise_activation_forward, m.get(), dtype_of<T>::value,
                v.get(), activation, x, bias, y, stored);
}

template <class T>
result activation_backward(const mask &m, const view &v, dropwise_activation activation, const T *dy,
                           const T *x, const same<T> *bias, T *dx, real<T> *dbias,
                           const dropwise_stored *stored = nullptr)
{
    return call("dropwise_activation_backward", dropwise_activation_backward, m.get(), dtype_of<T>::value,
                v.get(), activation, dy, x, bias, dx, dbias, stored);
}

inline result softmax_init(dropwise_softmax &softmax, double scale)
{
    return call("dropwise_softmax_init", dropwise_softmax_init, &softmax, scale);
}

template <class T>
result softmax_forward(const mask &m, const view &v, const dropwise_softmax &softmax, const T *x,
                       same<T> *probabilities, T *y, const dropwise_stored *stored = nullptr)
{
    return call("dropwise_softmax_forward", dropwise_softmax_forward, m.get(), dtype_of<T>::value, v.get(),
                &softmax, x, probabilities, y, stored);
}

template <class T>
result softmax_backward(const mask &m, const view &v, const dropwise_softmax &softmax, const T *dy,
                        const T *probabilities, T *dx, const dropwise_stored *stored = nullptr)
{
    return call("dropwise_softmax_backward", dropwise_softmax_backward, m.get(), dtype_of<T>::value, v.get(),
                &softmax, dy, probabilities, dx, stored);
}

/* dropwise_attention.h */

inline result attention_init(dropwise_attention &attention, std::uint64_t batches, std::uint64_t heads,
                             std::uint64_t kv_heads, std::uint64_t queries, std::uint64_t keys,
                             std::uint64_t size, std::uint64_t value_size)
{
    return call("dropwise_attention_init", dropwise_attention_init, &attention, batches, heads, kv_heads,
                queries, keys, size, value_size);
}

inline result attention_workspace(const dropwise_attention &attention, dropwise_dtype dtype,
                                  std::uint32_t backward, std::uint64_t &bytes)
{
    return call("dropwise_attention_workspace", dropwise_attention_workspace, &attention, dtype, backward,
                &bytes);
}

template <class T>
result attention_forward(const mask &m, const dropwise_attention &attention, const T *q, const T *k,
                         const T *v, T *out, float *lse, void *workspace, std::uint64_t workspace_bytes)
{
    return call("dropwise_attention_forward", dropwise_attention_forward, m.get(), dtype_of<T>::value,
                &attention, q, k, v, out, lse, workspace, workspace_bytes);
}

template <class T>
result attention_backward(const mask &m, const dropwise_attention &attention, const T *q, const T *k,
                          const T *v, const T *out, const float *lse, const T *dout, T *dq, T *dk, T *dv,
                          void *workspace, std::uint64_t workspace_bytes)
{
    return call("dropwise_attention_backward", dropwise_attention_backward, m.get(), dtype_of<T>::value,
                &attention, q, k, v, out, lse, dout, dq, dk, dv, workspace, workspace_bytes);
}

inline result draw_bits_rows(const mask &m, std::uint64_t first, std::uint64_t rows, std::uint64_t columns,
                             std::uint64_t row_stride, void *bits, std::uint64_t bits_stride)
{
    return call("dropwise_draw_bits_rows", dropwise_draw_bits_rows, m.get(), first, rows, columns, row_stride,
                bits, bits_stride);
}

template <class T>
result attention_tile_forward(const dropwise_attention_tile &tile, std::uint32_t first, float *scores,
                              float *top, float *sum, float *shrink, T *probabilities)
{
    return call("dropwise_attention_tile_forward", dropwise_attention_tile_forward, &tile, dtype_of<T>::value,
                first, scores, top, sum, shrink, probabilities);
}

template <class T>
result attention_rows_end(const mask &m, std::uint64_t rows, std::uint64_t size, const float *o,
                          std::uint64_t o_stride, const float *top, const float *sum, T *out,
                          std::uint64_t out_stride, float *lse)
{
    return call("dropwise_attention_rows_end", dropwise_attention_rows_end, m.get(), dtype_of<T>::value, rows,
                size, o, o_stride, top, sum, out, out_stride, lse);
}

template <class T>
result attention_delta(std::uint64_t rows, std::uint64_t size, const T *dout, std::uint64_t dout_stride,
                       const T *out, std::uint64_t out_stride, float *delta)
{
    return call("dropwise_attention_delta", dropwise_attention_delta, dtype_of<T>::value, rows, size, dout,
                dout_stride, out, out_stride, delta);
}

template <class T>
result attention_tile_backward(const mask &m, const dropwise_attention_tile &tile, float *scores, float *dp,
                               const float *lse, const float *delta, T *probabilities, T *gradients)
{
    return call("dropwise_attention_tile_backward", dropwise_attention_tile_backward, m.get(), &tile,
                dtype_of<T>::value, scores, dp, lse, delta, probabilities, gradients);
}

/* dropwise_variants.h */

template <class T>
result alpha_forward(const mask &m, const view &v, const T *x, T *y, const dropwise_stored *stored = nullptr)
{
    return call("dropwise_alpha_forward", dropwise_alpha_forward, m.get(), dtype_of<T>::value, v.get(), x, y,
                stored);
}

template <class T>
result alpha_backward(const mask &m, const view &v, const T *dy, T *dx,
                      const dropwise_stored *stored = nullptr)
{
    return call("dropwise_alpha_backward", dropwise_alpha_backward, m.get(), dtype_of<T>::value, v.get(), dy,
                dx, stored);
}

template <class T>
result zoneout_forward(const mask &m, const view &v, const T *h, const T *before, T *y,
                       const dropwise_stored *stored = nullptr)
{
    return call("dropwise_zoneout_forward", dropwise_zoneout_forward, m.get(), dtype_of<T>::value, v.get(), h,
                before, y, stored);
}

template <class T>
result zoneout_backward(const mask &m, const view &v, const T *dy, T *dh, T *dbefore,
                        const dropwise_stored *stored = nullptr)
{
    return call("dropwise_zoneout_backward", dropwise_zoneout_backward, m.get(), dtype_of<T>::value, v.get(),
                dy, dh, dbefore, stored);
}

template <class T> result zoneout_infer(const mask &m, const view &v, const T *h, const T *before, T *y)
{
    return call("dropwise_zoneout_infer", dropwise_zoneout_infer, m.get(), dtype_of<T>::value, v.get(), h,
                before, y);
}

template <class T> result draw_uniform(const mask &m, const view &v, T *y)
{
    return call("dropwise_draw_uniform", dropwise_draw_uniform, m.get(), dtype_of<T>::value, v.get(), y);
}

template <class T> result draw_normal(const mask &m, const view &v, T *y)
{
    return call("dropwise_draw_normal", dropwise_draw_normal, m.get(), dtype_of<T>::value, v.get(), y);
}

template <class T> result gaussian_forward(const mask &m, const view &v, const T *x, T *y)
{
    return call("dropwise_gaussian_forward", dropwise_gaussian_forward, m.get(), dtype_of<T>::value, v.get(),
                x, y);
}

template <class T> result gaussian_backward(const mask &m, const view &v, const T *dy, T *dx)
{
    return call("dropwise_gaussian_backward", dropwise_gaussian_backward, m.get(), dtype_of<T>::value,
                v.get(), dy, dx);
}

template <class T> result gaussian_noise(const mask &m, const view &v, double sigma, const T *x, T *y)
{
    return call("dropwise_gaussian_noise", dropwise_gaussian_noise, m.get(), dtype_of<T>::value, v.get(),
                sigma, x, y);
}

inline result concrete_init(dropwise_concrete &concrete, double logit, double temperature)
{
    return call("dropwise_concrete_init", dropwise_concrete_init, &concrete, logit, temperature);
}

inline result concrete_probability(const dropwise_concrete &concrete, double &p)
{
    return call("dropwise_concrete_probability", dropwise_concrete_probability, &concrete, &p);
}

template <class T>
result concrete_forward(const mask &m, const view &v, const dropwise_concrete &concrete, const T *x, T *y)
{
    return call("dropwise_concrete_forward", dropwise_concrete_forward, m.get(), dtype_of<T>::value, v.get(),
                &concrete, x, y);
}

template <class T>
result concrete_backward(const mask &m, const view &v, const dropwise_concrete &concrete, const T *dy,
                         const T *x, T *dx, double &dlogit)
{
    return call("dropwise_concrete_backward", dropwise_concrete_backward, m.get(), dtype_of<T>::value,
                v.get(), &concrete, dy, x, dx, &dlogit);
}

template <class T>
result concrete_regularizer(const dropwise_concrete &concrete, std::uint64_t n, const T *weights,
                            double &value, double &dlogit, double &decay)
{
    return call("dropwise_concrete_regularizer", dropwise_concrete_regularizer, &concrete, dtype_of<T>::value,
                n, weights, &value, &dlogit, &decay);
}

/* dropwise_dropconnect.h */

inline result dropconnect_init(dropwise_dropconnect &layer, std::uint64_t samples, std::uint64_t rows,
                               std::uint64_t columns)
{
    return call("dropwise_dropconnect_init", dropwise_dropconnect_init, &layer, samples, rows, columns);
}

template <class T>
result dropconnect_forward(const mask &m, const dropwise_dropconnect &layer, const T *w, const T *x,
                           const same<T> *bias, T *y)
{
    return call("dropwise_dropconnect_forward", dropwise_dropconnect_forward, m.get(), dtype_of<T>::value,
                &layer, w, x, bias, y);
}

template <class T>
result dropconnect_backward(const mask &m, const dropwise_dropconnect &layer, const same<T> *w,
                            const same<T> *x, const T *dy, same<T> *dx, real<T> *dw, real<T> *db)
{
    return call("dropwise_dropconnect_backward", dropwise_dropconnect_backward, m.get(), dtype_of<T>::value,
                &layer, w, x, dy, dx, dw, db);
}

template <class T>
result dropconnect_moments(const mask &m, const dropwise_dropconnect &layer, const T *w, const T *x,
                           const same<T> *bias, real<T> *mean, real<T> *variance)
{
    return call("dropwise_dropconnect_moments", dropwise_dropconnect_moments, m.get(), dtype_of<T>::value,
                &layer, w, x, bias, mean, variance);
}

template <class T>
result dropconnect_sample(const mask &m, std::uint64_t first, std::size_t n, const real<T> *mean,
                          const real<T> *variance, T *y)
{
    return call("dropwise_dropconnect_sample", dropwise_dropconnect_sample, m.get(), dtype_of<T>::value,
                first, n, mean, variance, y);
}

/* dropwise_dropblock.h */

inline result dropblock_init(dropwise_dropblock &block, const view &v, std::uint32_t dimensions,
                             std::uint64_t size)
{
    return call("dropwise_dropblock_init", dropwise_dropblock_init, &block, v.get(), dimensions, size);
}

inline result dropblock_gamma(const dropwise_dropblock &block, const view &v, double p, double &gamma)
{
    return call("dropwise_dropblock_gamma", dropwise_dropblock_gamma, &block, v.get(), p, &gamma);
}

inline result dropblock_entries(const view &v, std::uint64_t &entries)
{
    return call("dropwise_dropblock_entries", dropwise_dropblock_entries, v.get(), &entries);
}

inline result dropblock_draw(const mask &m, const dropwise_dropblock &block, const view &v, void *bits,
                             std::uint64_t &kept)
{
    return call("dropwise_dropblock_draw", dropwise_dropblock_draw, m.get(), &block, v.get(), bits, &kept);
}

template <class T> result dropblock_apply(const view &v, double scale, const void *bits, const T *x, T *y)
{
    return call("dropwise_dropblock_apply", dropwise_dropblock_apply, dtype_of<T>::value, v.get(), scale,
                bits, x, y);
}

template <class T>
result dropblock_forward(const mask &m, const dropwise_dropblock &block, const view &v, const T *x, T *y,
                         void *bits)
{
    return call("dropwise_dropblock_forward", dropwise_dropblock_forward, m.get(), dtype_of<T>::value, &block,
                v.get(), x, y, bits);
}

template <class T>
result dropblock_backward(const mask &m, const view &v, const T *dy, T *dx, const void *bits)
{
    return call("dropwise_dropblock_backward", dropwise_dropblock_backward, m.get(), dtype_of<T>::value,
                v.get(), dy, dx, bits);
}

/* dropwise_interop.h */

inline const char *layout_name(std::uint32_t layout)
{
    return dropwise_layout_name(layout);
}

inline result interop_bits(const dropwise_interop &interop, std::uint64_t first, std::size_t n, void *bits)
{
    return call("dropwise_interop_bits", dropwise_interop_bits, &interop, first, n, bits);
}

template <class T>
result interop_forward(const dropwise_interop &interop, std::uint64_t first, std::size_t n, const T *x, T *y,
                       void *bits = nullptr)
{
    return call("dropwise_interop_forward", dropwise_interop_forward, &interop, dtype_of<T>::value, first, n,
                x, y, bits);
}

inline result interop_mask(const dropwise_interop &interop, mask &m)
{
    return call("dropwise_interop_mask", dropwise_interop_mask, &interop, m.get());
}

inline result jax_key(std::uint64_t seed, std::uint32_t (&key)[2])
{
    return call("dropwise_jax_key", dropwise_jax_key, seed, key);
}

inline result jax_fold_in(const std::uint32_t (&key)[2], std::uint32_t data, std::uint32_t (&out)[2])
{
    return call("dropwise_jax_fold_in", dropwise_jax_fold_in, key, data, out);
}

inline result jax_split(const std::uint32_t (&key)[2], std::uint64_t child, std::uint32_t (&out)[2])
{
    return call("dropwise_jax_split", dropwise_jax_split, key, child, out);
}

inline result jax_split_legacy(const std::uint32_t (&key)[2], std::uint32_t children, std::uint32_t child,
                               std::uint32_t (&out)[2])
{
    return call("dropwise_jax_split_legacy", dropwise_jax_split_legacy, key, children, child, out);
}

inline result jax_unsafe_rbg_split(const std::uint32_t (&key)[4], std::uint32_t child,
                                   std::uint32_t (&out)[4])
{
    return call("dropwise_jax_unsafe_rbg_split", dropwise_jax_unsafe_rbg_split, key, child, out);
}

inline result jax_unsafe_rbg_fold_in(const std::uint32_t (&key)[4], std::uint32_t data,
                                     std::uint32_t (&out)[4])
{
    return call("dropwise_jax_unsafe_rbg_fold_in", dropwise_jax_unsafe_rbg_fold_in, key, data, out);
}

inline result jax_linen_key(const std::uint32_t (&root)[2], const char *path, std::uint32_t call_number,
                            std::uint32_t separator, std::uint32_t (&out)[2])
{
    return call("dropwise_jax_linen_key", dropwise_jax_linen_key, root, path, call_number, separator, out);
}

inline result jax_nnx_key(const std::uint32_t (&root)[2], std::uint32_t taken, std::uint32_t call_number,
                          std::uint32_t (&out)[2])
{
    return call("dropwise_jax_nnx_key", dropwise_jax_nnx_key, root, taken, call_number, out);
}

inline result jax_haiku_key(const std::uint32_t (&root)[2], std::uint32_t call_number,
                            std::uint32_t (&out)[2])
{
    return call("dropwise_jax_haiku_key", dropwise_jax_haiku_key, root, call_number, out);
}

inline result jax_keras_key(std::uint32_t seed, std::uint32_t call_number, std::uint32_t (&out)[2])
{
    return call("dropwise_jax_keras_key", dropwise_jax_keras_key, seed, call_number, out);
}

inline result interop_jax(dropwise_interop &interop, const std::uint32_t (&key)[2], dropwise_dtype draws,
                          dropwise_dtype dtype, double keep)
{
    return call("dropwise_interop_jax", dropwise_interop_jax, &interop, key, draws, dtype, keep);
}

inline result interop_jax_legacy(dropwise_interop &interop, const std::uint32_t (&key)[2], std::uint64_t size,
                                 dropwise_dtype draws, dropwise_dtype dtype, double keep)
{
    return call("dropwise_interop_jax_legacy", dropwise_interop_jax_legacy, &interop, key, size, draws, dtype,
                keep);
}

inline result interop_jax_rbg(dropwise_interop &interop, const std::uint32_t (&key)[4], dropwise_dtype draws,
                              dropwise_dtype dtype, double keep)
{
    return call("dropwise_interop_jax_rbg", dropwise_interop_jax_rbg, &interop, key, draws, dtype, keep);
}

inline result interop_jax_high(dropwise_interop &interop, const std::uint32_t (&key)[2], std::uint64_t size,
                               dropwise_dtype draws, dropwise_dtype dtype, double keep)
{
    return call("dropwise_interop_jax_high", dropwise_interop_jax_high, &interop, key, size, draws, dtype,
                keep);
}

inline result interop_jax_legacy_high(dropwise_interop &interop, const std::uint32_t (&key)[2],
                                      std::uint64_t size, dropwise_dtype draws, dropwise_dtype dtype,
                                      double keep)
{
    return call("dropwise_interop_jax_legacy_high", dropwise_interop_jax_legacy_high, &interop, key, size,
                draws, dtype, keep);
}

inline result interop_jax_rbg_high(dropwise_interop &interop, const std::uint32_t (&key)[4],
                                   std::uint64_t size, dropwise_dtype draws, dropwise_dtype dtype,
                                   double keep)
{
    return call("dropwise_interop_jax_rbg_high", dropwise_interop_jax_rbg_high, &interop, key, size, draws,
                dtype, keep);
}

inline result interop_mlx(dropwise_interop &interop, const std::uint32_t (&key)[2], std::uint64_t size,
                          double keep)
{
    return call("dropwise_interop_mlx", dropwise_interop_mlx, &interop, key, size, keep);
}

inline result interop_tinygrad(dropwise_interop &interop, std::uint64_t seed, std::uint64_t before,
                               std::uint64_t size, double p)
{
    return call("dropwise_interop_tinygrad", dropwise_interop_tinygrad, &interop, seed, before, size, p);
}

inline result interop_tensorflow(dropwise_interop &interop, const std::int64_t (&seed)[2],
                                 dropwise_dtype dtype, double rate)
{
    return call("dropwise_interop_tensorflow", dropwise_interop_tensorflow, &interop, seed, dtype, rate);
}

inline result interop_tensorflow_xla(dropwise_interop &interop, const std::int64_t (&seed)[2],
                                     dropwise_dtype dtype, double rate)
{
    return call("dropwise_interop_tensorflow_xla", dropwise_interop_tensorflow_xla, &interop, seed, dtype,
                rate);
}

inline result interop_tensorflow_stateful(dropwise_interop &interop, const std::int64_t (&seed)[2],
                                          std::uint64_t before, dropwise_dtype dtype, double rate)
{
    return call("dropwise_interop_tensorflow_stateful", dropwise_interop_tensorflow_stateful, &interop, seed,
                before, dtype, rate);
}

inline result interop_paddle_cpu(dropwise_interop &interop, dropwise_dtype dtype, std::uint64_t seed,
                                 std::uint64_t before, double p)
{
    return call("dropwise_interop_paddle_cpu", dropwise_interop_paddle_cpu, &interop, dtype, seed, before, p);
}

inline result interop_mxnet_cpu(dropwise_interop &interop, dropwise_dtype dtype, std::uint32_t seed,
                                std::uint64_t size, std::uint64_t run, double p)
{
    return call("dropwise_interop_mxnet_cpu", dropwise_interop_mxnet_cpu, &interop, dtype, seed, size, run,
                p);
}

inline result interop_onednn_3_6(dropwise_interop &interop, std::uint32_t seed, double p)
{
    return call("dropwise_interop_onednn_3_6", dropwise_interop_onednn_3_6, &interop, seed, p);
}

inline result interop_onednn_3_11(dropwise_interop &interop, std::uint64_t seed, std::uint64_t offset,
                                  double p)
{
    return call("dropwise_interop_onednn_3_11", dropwise_interop_onednn_3_11, &interop, seed, offset, p);
}

inline result interop_onednn_3_11_no_offset(dropwise_interop &interop, std::uint32_t seed, double p)
{
    return call("dropwise_interop_onednn_3_11_no_offset", dropwise_interop_onednn_3_11_no_offset, &interop,
                seed, p);
}

inline result torch_cuda_launch(dropwise_dtype dtype, std::uint64_t numel, std::uint32_t sm_count,
                                std::uint32_t threads_per_sm, std::uint32_t &threads, std::uint32_t &vector,
                                std::uint64_t &step)
{
    return call("dropwise_torch_cuda_launch", dropwise_torch_cuda_launch, dtype, numel, sm_count,
                threads_per_sm, &threads, &vector, &step);
}

inline result interop_torch_cuda(dropwise_interop &interop, dropwise_dtype dtype, std::uint64_t numel,
                                 std::uint32_t threads, std::uint32_t vector, std::uint64_t seed,
                                 std::uint64_t offset, double p)
{
    return call("dropwise_interop_torch_cuda", dropwise_interop_torch_cuda, &interop, dtype, numel, threads,
                vector, seed, offset, p);
}

inline result mt19937_seed(dropwise_mt19937 &engine, std::uint32_t seed)
{
    return call("dropwise_mt19937_seed", dropwise_mt19937_seed, &engine, seed);
}

inline result mt19937_from_torch(dropwise_mt19937 &engine, const void *state, std::size_t bytes)
{
    return call("dropwise_mt19937_from_torch", dropwise_mt19937_from_torch, &engine, state, bytes);
}

inline result mt19937_to_torch(const dropwise_mt19937 &engine, void *state, std::size_t bytes)
{
    return call("dropwise_mt19937_to_torch", dropwise_mt19937_to_torch, &engine, state, bytes);
}

inline result mt19937_words(dropwise_mt19937 &engine, std::size_t n, std::uint32_t *words)
{
    return call("dropwise_mt19937_words", dropwise_mt19937_words, &engine, n, words);
}

inline result mt19937_skip(dropwise_mt19937 &engine, std::uint64_t n)
{
    return call("dropwise_mt19937_skip", dropwise_mt19937_skip, &engine, n);
}

inline result mt19937_jump_init(dropwise_mt19937_jump &jump, std::uint64_t blocks)
{
    return call("dropwise_mt19937_jump_init", dropwise_mt19937_jump_init, &jump, blocks);
}

inline result mt19937_make_jump(dropwise_mt19937 &engine, const dropwise_mt19937_jump &jump)
{
    return call("dropwise_mt19937_make_jump", dropwise_mt19937_make_jump, &engine, &jump);
}

inline result torch_cpu_bits(dropwise_mt19937 &engine, double p, std::size_t n, void *bits)
{
    return call("dropwise_torch_cpu_bits", dropwise_torch_cpu_bits, &engine, p, n, bits);
}

template <class T>
result torch_cpu_forward(dropwise_mt19937 &engine, double p, std::size_t n, const T *x, T *y,
                         void *bits = nullptr)
{
    return call("dropwise_torch_cpu_forward", dropwise_torch_cpu_forward, &engine, dtype_of<T>::value, p, n,
                x, y, bits);
}

template <class T> result torch_cpu_apply(double p, std::size_t n, const void *bits, const T *x, T *y)
{
    return call("dropwise_torch_cpu_apply", dropwise_torch_cpu_apply, dtype_of<T>::value, p, n, bits, x, y);
}

inline result interop_torch_cpu(dropwise_interop &interop, dropwise_dtype dtype, std::uint64_t seed,
                                std::uint64_t words, double p)
{
    return call("dropwise_interop_torch_cpu", dropwise_interop_torch_cpu, &interop, dtype, seed, words, p);
}

inline result interop_torch_func_random(dropwise_interop &interop, const std::uint64_t (&key)[2],
                                        dropwise_dtype draws, double p)
{
    return call("dropwise_interop_torch_func_random", dropwise_interop_torch_func_random, &interop, key,
                draws, p);
}

inline result interop_inductor_gpu(dropwise_interop &interop, dropwise_dtype dtype, std::uint64_t seed,
                                   double p)
{
    return call("dropwise_interop_inductor_gpu", dropwise_interop_inductor_gpu, &interop, dtype, seed, p);
}

inline result interop_inductor_gpu_2_12(dropwise_interop &interop, dropwise_dtype dtype, std::uint64_t seed,
                                        double p)
{
    return call("dropwise_interop_inductor_gpu_2_12", dropwise_interop_inductor_gpu_2_12, &interop, dtype,
                seed, p);
}

inline result interop_inductor_gpu_2_13(dropwise_interop &interop, dropwise_dtype dtype, std::uint64_t seed,
                                        double p)
{
    return call("dropwise_interop_inductor_gpu_2_13", dropwise_interop_inductor_gpu_2_13, &interop, dtype,
                seed, p);
}

inline result interop_inductor_cpu(dropwise_interop &interop, dropwise_dtype dtype, std::uint64_t seed,
                                   double p)
{
    return call("dropwise_interop_inductor_cpu", dropwise_interop_inductor_cpu, &interop, dtype, seed, p);
}

inline result interop_inductor_cpu_2_12(dropwise_interop &interop, dropwise_dtype dtype, std::uint64_t seed,
                                        double p)
{
    return call("dropwise_interop_inductor_cpu_2_12", dropwise_interop_inductor_cpu_2_12, &interop, dtype,
                seed, p);
}

inline result interop_triton(dropwise_interop &interop, std::uint64_t seed, double p)
{
    return call("dropwise_interop_triton", dropwise_interop_triton, &interop, seed, p);
}

inline result interop_curand(dropwise_interop &interop, std::uint64_t seed, std::uint64_t subsequence,
                             std::uint64_t offset, double p)
{
    return call("dropwise_interop_curand", dropwise_interop_curand, &interop, seed, subsequence, offset, p);
}

inline result interop_curand_host(dropwise_interop &interop, std::uint64_t seed, std::uint64_t offset,
                                  double p)
{
    return call("dropwise_interop_curand_host", dropwise_interop_curand_host, &interop, seed, offset, p);
}

inline result numpy_key(std::uint64_t seed, std::uint64_t (&key)[2])
{
    return call("dropwise_numpy_key", dropwise_numpy_key, seed, key);
}

inline result interop_numpy(dropwise_interop &interop, const std::uint64_t (&key)[2],
                            const std::uint64_t *counter, dropwise_dtype draws, double p)
{
    return call("dropwise_interop_numpy", dropwise_interop_numpy, &interop, key, counter, draws, p);
}

inline result numpy_pcg64_seed(std::uint64_t seed, std::uint64_t (&state)[2], std::uint64_t (&increment)[2])
{
    return call("dropwise_numpy_pcg64_seed", dropwise_numpy_pcg64_seed, seed, state, increment);
}

inline result interop_numpy_pcg64(dropwise_interop &interop, const std::uint64_t (&state)[2],
                                  const std::uint64_t (&increment)[2], dropwise_dtype draws, double p)
{
    return call("dropwise_interop_numpy_pcg64", dropwise_interop_numpy_pcg64, &interop, state, increment,
                draws, p);
}

inline result interop_onemkl(dropwise_interop &interop, std::uint32_t seed, double p)
{
    return call("dropwise_interop_onemkl", dropwise_interop_onemkl, &interop, seed, p);
}

inline result interop_onemkl_bernoulli(dropwise_interop &interop, std::uint32_t seed, double keep)
{
    return call("dropwise_interop_onemkl_bernoulli", dropwise_interop_onemkl_bernoulli, &interop, seed, keep);
}

inline result interop_onemkl_mcg31(dropwise_interop &interop, std::uint32_t seed, double keep)
{
    return call("dropwise_interop_onemkl_mcg31", dropwise_interop_onemkl_mcg31, &interop, seed, keep);
}

inline result interop_flash_attention_2(dropwise_interop &interop, std::uint64_t rows, std::uint64_t columns,
                                        std::uint64_t seed, std::uint64_t offset, double p)
{
    return call("dropwise_interop_flash_attention_2", dropwise_interop_flash_attention_2, &interop, rows,
                columns, seed, offset, p);
}

inline result interop_transformer_engine(dropwise_interop &interop, std::uint64_t seed, std::uint64_t offset,
                                         double p)
{
    return call("dropwise_interop_transformer_engine", dropwise_interop_transformer_engine, &interop, seed,
                offset, p);
}

inline result onnx_runtime_launch(std::uint64_t numel, std::uint32_t sm_count, std::uint32_t threads_per_sm,
                                  std::uint32_t &threads, std::uint64_t &step)
{
    return call("dropwise_onnx_runtime_launch", dropwise_onnx_runtime_launch, numel, sm_count, threads_per_sm,
                &threads, &step);
}

inline result interop_onnx_runtime(dropwise_interop &interop, std::uint64_t numel, std::uint32_t threads,
                                   std::uint64_t seed, std::uint64_t offset, double p)
{
    return call("dropwise_interop_onnx_runtime", dropwise_interop_onnx_runtime, &interop, numel, threads,
                seed, offset, p);
}

inline result interop_onnx_runtime_cpu(dropwise_interop &interop, std::uint64_t seed, std::uint64_t run,
                                       double p)
{
    return call("dropwise_interop_onnx_runtime_cpu", dropwise_interop_onnx_runtime_cpu, &interop, seed, run,
                p);
}

inline result interop_onnx_runtime_web(dropwise_interop &interop, std::uint64_t seed, std::uint64_t run,
                                       double p)
{
    return call("dropwise_interop_onnx_runtime_web", dropwise_interop_onnx_runtime_web, &interop, seed, run,
                p);
}

inline result deepspeed_launch(std::uint64_t numel, std::uint32_t &threads, std::uint64_t &step)
{
    return call("dropwise_deepspeed_launch", dropwise_deepspeed_launch, numel, &threads, &step);
}

inline result interop_deepspeed(dropwise_interop &interop, std::uint64_t numel, std::uint32_t threads,
                                std::uint64_t seed, std::uint64_t offset, double p)
{
    return call("dropwise_interop_deepspeed", dropwise_interop_deepspeed, &interop, numel, threads, seed,
                offset, p);
}

} // inline namespace
} // namespace dropwise

#endif // DROPWISE_HPP
