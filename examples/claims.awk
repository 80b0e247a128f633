# What is said of dropout, and the numbers of a run of ci/study that belong to it, as a table. Reads the
# results; rows of tables are found by the section that they are in and by their first cells.
BEGIN {
    FS = " *[|] *"
}

/^### / {
    section = substr($0, 5)
    next
}

# Sentences of two lines.
/^With dropout the loss differs/ || /^The mean of 64 against scaled/ { sentence[section] = $0; more = 1; next }
more {
    sentence[section] = sentence[section] " " $0
    sub(/ Standard deviation.*/, "", sentence[section])
    more = 0
}

# "mean +- deviation" becomes the mean.
function mean(cell) {
    sub(/ [+]-.*/, "", cell)
    return cell
}

# Or what follows the mean, of numbers.
function spread(cell) {
    sub(/.*[+]- /, "", cell)
    return cell + 0
}

section ~ /with dropout/ && $2 ~ /^(accuracy|loss)/ {
    name = $2
    sub(/, .*/, "", name)
    without[name] = mean($3)
    with[name] = mean($4)
}

section ~ /wider/ && $2 ~ /^[0-9]/ {
    reached[$2, $3] = mean($5)
    accuracy[$2, $3] = mean($11)
}

section ~ /for which layer/ && $2 ~ /layers/ {
    kind = $2
    sub(/ [(].*/, "", kind)
    i = ++n_rates[kind]
    rate[kind, i] = $3
    held[kind, i] = mean($4) + 0
    accuracy_at[kind, i] = mean($8)
    if (i == 1 || held[kind, i] < least[kind]) {
        least[kind] = held[kind, i]
        error_of_least[kind] = spread($4)
    }
}

section ~ /batches/ && $2 ~ /^[0-9]/ { jumps[$2, $3] = mean($4) }

section ~ /rely/ && $2 ~ /^[0-9]/ {
    whole[$2] = mean($3)
    half[$2] = mean($8)
}

section ~ /Alternatives/ && $2 == "perceptron" {
    if (NF > 7) {
        name = $3 == "early stopping" ? $3 " (learns from 80 %, rate not decayed)" : $3
        loss[name] = mean($6)
        test[name] = mean($5)
    } else {
        shift_of[$3] = $4 ", " $5
    }
}

function say(claim, measured) {
    print "| " claim " | " measured " |"
}

# The rates whose lowest held-out loss is that of the best one, but for its standard error; and accuracies.
function good_rates(kind,    i, list) {
    for (i = 1; i <= n_rates[kind]; i++)
        if (held[kind, i] <= least[kind] + error_of_least[kind])
            list = list (list == "" ? "" : ", ") rate[kind, i] " (" accuracy_at[kind, i] " %)"
    return kind ": " list
}

function alternative(name) {
    return name ": " test[name] " %, loss " loss[name]
}

# Some that are compared, names separated by "; ", and which of them does best.
function compared(names,    n, name, i, list, low, high) {
    n = split(names, name, "; ")
    low = high = 1
    for (i = 1; i <= n; i++) {
        list = list (i == 1 ? "" : "; ") alternative(name[i])
        low = loss[name[i]] + 0 < loss[name[low]] + 0 ? i : low
        high = test[name[i]] + 0 > test[name[high]] + 0 ? i : high
    }
    return list ". Lowest loss: " name[low] "; highest accuracy: " name[high] "."
}

END {
    print "| what is said | what this run measured |"
    print "|---|---|"
    say("it keeps a network from learning by heart", sentence["Without and with dropout"])
    say("stopping in the epoch of the lowest held-out loss does as well", "without dropout stopped there: " \
        without["accuracy in that epoch"] " %, loss " without["loss in that epoch"] "; with dropout in the " \
        "end: " with["accuracy"] " %, loss " with["loss"] "; with dropout stopped there: " \
        with["accuracy in that epoch"] " %, loss " with["loss in that epoch"])
    say("higher rates need wider layers", "p = 0.75: accuracy " accuracy[32, 0.75] " % at width 32, " \
        accuracy[512, 0.75] " % at 512; without dropout " accuracy[32, 0] " % and " accuracy[512, 0] " %")
    say("and two to three times the epochs", "epochs until a held-out loss of 0.6, width 512: " \
        reached[512, 0] " without, " reached[512, 0.25] " with p = 0.25, " reached[512, 0.5] " with 0.5, " \
        reached[512, 0.75] " with 0.75")
    say("inputs 0.1 to 0.2, hidden 0.2 to 0.5, convolutional 0.1 to 0.25", "rates (and accuracies) whose " \
        "lowest held-out loss is within a standard error of the best: " good_rates("inputs") "; " \
        good_rates("hidden layers") "; " good_rates("convolutional layers"))
    say("small batches make it noisy", "the held-out loss jumps by " jumps[10, 0.5] \
        " an epoch with batches of 10, by " jumps[100, 0.5] " with 100; without dropout by " jumps[10, 0] \
        " and " jumps[100, 0])
    say("units rely less on each other", "without half of the hidden units " half["0"] " % of " whole["0"] \
        " % are left, trained with p = 0.5 " half["0.5"] " % of " whole["0.5"] " %")
    thinned = "Thinned networks"
    say("scaled weights stand for the mean of the thinned networks", sentence[thinned " and scaled weights"])
    say("likewise, on few digits", sentence[thinned ", on few digits"])
    say("instead of L2, L1, early stopping, or with them", compared("no dropout; L2 1e-4; L1 1e-5; " \
        "early stopping (learns from 80 %, rate not decayed); dropout 0.5/0.1, L2 1e-4; dropout 0.5, inputs 0.1"))
    say("with batch normalisation it belongs behind all of it", compared("batch norm; " \
        "batch norm, dropout 0.5 before it; batch norm, dropout 0.5 after it; " \
        "batch norm, dropout 0.5 after all"))
    say("else the variance shifts", "variance at inference to that of training, by layer: batch norm alone " \
        shift_of["batch norm"] "; dropout before it " shift_of["batch norm, dropout 0.5 before it"] \
        "; after it " shift_of["batch norm, dropout 0.5 after it"] "; after all " \
        shift_of["batch norm, dropout 0.5 after all"])
    say("data augmentation, and both", compared("no dropout; dropout 0.5, inputs 0.1; shifts, flips; " \
        "shifts, flips, dropout 0.5/0.1"))
}
