# What is said of dropout, and the numbers of a run of ci/study that belong to it, as a table. Reads the
# results; rows of tables are found by the section that they are in and by their first cells.
BEGIN {
    FS = " *[|] *"
}

/^## / {
    section = substr($0, 4)
    next
}

# Sentences of two lines.
/^With dropout the loss is lower/ { by_heart = $0; more = "by_heart"; next }
/^The mean of 64 against scaled/ && section !~ /digits/ { thinned = $0; more = "thinned"; next }
more == "by_heart" { by_heart = by_heart " " $0; more = "" }
more == "thinned" { thinned = thinned " " $0; sub(/ Standard deviation.*/, "", thinned); more = "" }

# "mean +- deviation" becomes the mean.
function mean(cell) {
    sub(/ [+]-.*/, "", cell)
    return cell
}

section ~ /wider/ && $2 ~ /^[0-9]/ {
    reached[$2, $3] = $5
    accuracy[$2, $3] = mean($10)
}

# The rate with the lowest loss of what is held out, of each kind of layer.
section ~ /for which layer/ && $2 ~ /layers/ {
    kind = $2
    sub(/ [(].*/, "", kind)
    if (!(kind in least) || mean($4) + 0 < least[kind]) {
        least[kind] = mean($4) + 0
        best_p[kind] = $3
    }
}

section ~ /batches/ && $2 ~ /^[0-9]/ { jumps[$2, $3] = mean($4) }

section ~ /rely/ && $2 ~ /^[0-9]/ {
    whole[$2] = $3
    half[$2] = $8
}

section ~ /Alternatives/ && $2 == "perceptron" {
    if (NF > 7) {
        loss[$3] = mean($6)
        test[$3] = mean($5)
        difference[$3] = $7
    } else {
        shift_of[$3] = $4 ", " $5
    }
}

function say(claim, measured) {
    print "| " claim " | " measured " |"
}

function alternative(name) {
    return name ": " test[name] " %, loss " loss[name]
}

END {
    print "| what is said | what this run measured |"
    print "|---|---|"
    say("it keeps a network from learning by heart", by_heart)
    say("higher rates need wider layers", "p = 0.75: accuracy " accuracy[32, 0.75] " % at width 32, " \
        accuracy[512, 0.75] " % at 512; without dropout " accuracy[32, 0] " % and " accuracy[512, 0] " %")
    say("and two to three times the epochs", "epochs until a held-out loss of 0.6, width 512: " \
        reached[512, 0] " without, " reached[512, 0.25] " with p = 0.25, " reached[512, 0.5] " with 0.5, " \
        reached[512, 0.75] " with 0.75")
    say("inputs 0.1 to 0.2, hidden 0.2 to 0.5, convolutional 0.1 to 0.25", "lowest held-out loss: inputs " \
        best_p["inputs"] ", hidden layers " best_p["hidden layers"] ", convolutional layers " \
        best_p["convolutional layers"])
    say("small batches make it noisy", "the held-out loss jumps by " jumps[10, 0.5] \
        " an epoch with batches of 10, by " jumps[100, 0.5] " with 100; without dropout by " jumps[10, 0] \
        " and " jumps[100, 0])
    say("units rely less on each other", "without half of the hidden units " half["0"] " % of " whole["0"] \
        " % are left, trained with p = 0.5 " half["0.5"] " % of " whole["0.5"] " %")
    say("scaled weights stand for the mean of the thinned networks", thinned)
    say("instead of L2, L1, early stopping, or with them", alternative("no dropout") "; " \
        alternative("L2 1e-4") "; " alternative("L1 1e-5") "; " alternative("early stopping") "; " \
        alternative("dropout 0.5/0.1, L2 1e-4") "; " alternative("dropout 0.5, inputs 0.1"))
    say("with batch normalisation it belongs behind all of it", alternative("batch norm") "; " \
        alternative("batch norm, dropout 0.5 before it") "; " \
        alternative("batch norm, dropout 0.5 after it") "; " \
        alternative("batch norm, dropout 0.5 after all"))
    say("else the variance shifts", "variance at inference to that of training, by layer: batch norm alone " \
        shift_of["batch norm"] "; dropout before it " shift_of["batch norm, dropout 0.5 before it"] \
        "; after it " shift_of["batch norm, dropout 0.5 after it"] "; after all " \
        shift_of["batch norm, dropout 0.5 after all"])
    say("data augmentation, and both", alternative("shifts, flips") "; " \
        alternative("shifts, flips, dropout 0.5/0.1"))
}
