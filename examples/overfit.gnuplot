# Draws the curves that `overfit --curves FILE` wrote: gnuplot -e "curves='FILE'; picture='FILE.png'" overfit.gnuplot
set terminal pngcairo size 1400,620 font "Sans,12" background "white"
set output picture
set datafile separator "\t"
what = system("sed -n 's/^# \\(.*\\): epoch.*/\\1/p' '".curves."'")
set multiplot layout 1,2 title what.": images that were not learned from (mean, least and most over seeds)" font ",15"
set xlabel "epoch"
set grid lc rgb "#dddddd"
set border 3
set tics nomirror out
set style fill transparent solid 0.2 noborder
set style line 1 lc rgb "#444444" lw 2.5
set style line 2 lc rgb "#1b7fc4" lw 2.5
names = "'without dropout' 'with dropout'"
first(v) = 2 + 3 * v # its mean, least and most

set title "loss (cross-entropy)"
set yrange [0:*]
set key top left
plot for [v=0:1] curves using 1:(column(first(v) + 1)):(column(first(v) + 2)) with filledcurves ls v+1 notitle, \
     for [v=0:1] curves using 1:(column(first(v))) with lines ls v+1 title word(names, v+1)

set title "accuracy, %"
set yrange [*:*]
set key bottom right
plot for [v=0:1] curves using 1:(column(first(v+2) + 1)):(column(first(v+2) + 2)) with filledcurves ls v+1 notitle, \
     for [v=0:1] curves using 1:(column(first(v+2))) with lines ls v+1 title word(names, v+1)
