package identity

import "strings"

// words are the 1,024 words that a fingerprint is shown with, ten bits each, in
// alphabetical order. They are short and common, no two differ by one letter
// alone (or by two neighbours that changed places), none is the beginning of
// another, and no two of more than three letters begin with the same four, so
// that a voice across a table or a slip in reading does not turn one into another.
//
// The list and its order are part of what people compare: a change makes every
// server show other words, and two versions of the program would disagree. Never
// change it.
var words = strings.Fields(`
acid acorn acre actor adobe agent airport alarm album alcove alley almond alpha alpine amber
anchor angel ankle anthem antique antler anvil apple apron aqua arch arctic arena armor arrow
article aspen athlete atlas atom attic author autumn avenue avocado award bacon badge bagel
baker balcony ballet bamboo banana banjo banner bargain barley barn barrel basil basket bat
bazaar beach beagle bean beard beaver bed beetle bell beret berry bicycle bike binder bingo
birch bird biscuit bison blanket blaze blender blimp blossom blouse blue bobcat bolt bone bonnet
bonsai bonus book border bottle boulder bowl bracket braid branch brass bread breeze brick
bridge bronze broom brown brush bubble bucket budget buffalo bugle builder bulb bumper bundle
bunker burger bus butcher butter cabbage cabin cable cactus cadet cafe camel camp canal candle
canoe canvas capsule captain caramel carbon card carpet carrot cashew casino castle catfish
cedar ceiling celery cellar cement chain chalk chapel chariot cheese cherry chess chicken chili
chimney chorus cider cinema circle citrus city clam cliff clinic cloak cloud clown club cluster
coach coast cobalt cobra cobweb coconut coffee coin column comedy comic compass concert condor
copper coral cork corner cosmos cottage cougar county cowboy coyote crab cradle crane crater
crayon creek crew cricket crimson cruise crumb crust crystal cube cuckoo cuff cupcake curb
curtain cushion custard cutlass cycle dairy dance dawn decade decimal deck deer degree delta
deluxe denim dentist depot desert device diamond diesel digit dinner disco ditch diver doctor
dog doll dolphin domain dome domino donkey door double dough dozen dragon drama drawer dream
dress drill drum duet duke dusk earth easel east echo eclipse edge editor eel egg eight elastic
elbow elegant elf emblem emerald emperor empty enamel engine eraser evening exit eyebrow fabric
factory falcon fan farm fashion fedora fence fennel fern ferret fiber fiddle field fig film
filter finch finger fire fish flag flame flannel flask flavor fleece flight flint flock flood
florist flute foam focus folder forest fortune forum fossil fox freedom friend frog frost frozen
fruit fudge furnace fuse future gadget galaxy gallery gamma garage garden garlic garnet gate
gazelle gecko gem gentle giant gibbon gift giraffe glacier glass glider globe glow goat goblet
gold gondola goose gopher gorge gorilla grain granite grape gravel green grid grocer grotto
group grove guest guide guitar gulf hair halo ham hand hangar harbor harmony harp harvest hawk
hazel head heart helium helmet hen herb hermit hickory highway hiker hill hinge hippo hobby
hockey hoist holiday hollow honey hood horizon horn horse hotel hound hub hundred hurdle ice
icon igloo iguana impala indigo infant ink inlet insect iris island ivory ivy jacket jade jaguar
jar jasmine jazz jeans jeep jelly jersey jester jet jewel jigsaw jogger joker journal joy jug
juice jumbo jungle junior kale karate kayak kebab kelp ketchup kettle kilo kimono king kiosk
kitchen kite kitten kiwi knee knob koala label ladder lagoon lake lamb lantern laptop laser
lasso latch laundry lava lawyer leaf leather legacy legend lemon lemur lens lentil leopard
lesson letter level library lichen lilac lily lime linen lion lip liquid list little lizard
llama lobster locker lodge logic lotion lotus lounge lucky lullaby lumber lunar lunch lynx lyric
machine magenta magic magma magnet magpie mailbox mammal mango mantle maple marble margin market
maroon marsh mask mason matrix meadow meal meerkat melody memory menu mermaid meteor method
metro mile mineral minnow mint minute mirror mixer mobile model monarch month moon mop morning
mortar mosaic moss motor motto mouse movie mud muffin museum music myrtle mystery nail name
napkin nation navy nebula nectar needle neon nephew nest news nickel nine noble noodle north
nose notch nova novel nugget nurse nut nylon oak oasis oatcake oatmeal object ocean octagon
octopus office oil olive omelet onion onyx opal opera optic orange orbit orca orchard organ
origami oriole ostrich otter outlaw oven owner oxygen oyster ozone package paddle page pagoda
paint pajama palace palette palm pancake panda panel pansy panther papaya paper paprika parade
parcel park parsley passage patio patrol pattern peacock peanut pearl pebble pecan pedal pelican
pencil penguin penny pepper perfume phone photo piano piccolo pickle picnic picture pigeon
pilgrim pillow pilot pinto pioneer pipe pirate piston pixel pizza planet plate plaza plover plum
pocket podium poem polar polka pollen polo pond popcorn porch portal postman potato pottery
powder prairie present pretzel prince prism prize pudding pulley pulse puma pumpkin puppet
purple puzzle pyramid python quail quality queen quick quiet quill quiver quiz rabbit raccoon
radar radio raft railway raisin ranger raptor raven ravine razor recipe record refuge region
reptile rescue resort rhino ripple ritual road robin robot rodeo roof rookie rope rosebud router
royal rubber ruby rudder ruler rumba runway safari safety sailor salad salmon salsa salt salute
sandal sardine satin sauce sauna sawmill scale scarf school science scooter scout season second
secret sedan senior sesame seven shadow shampoo shark shed sheep shelf shield shiny ship shirt
shoe shovel shower shrimp shuffle shuttle sibling sidecar sienna sierra siesta signal silence
silk silver siren six skate sketch ski sleeve slipper sloth smoke snake snow soap soccer sofa
soldier sonar south space spaniel sparrow spatula sphere spider spinach spiral sponge spoon
sport spring spruce squad stable stadium staff stamp star statue steam steel stencil step stereo
stone stool storm straw street student suburb subway sugar suit summer sun supper sushi swallow
swan sweater swift swing switch sword symbol syrup system tablet taco tadpole talent tandem tank
tape tapioca target tarot taxi tea temple tennis tent terrace theater thermos thimble thirty
thistle thrush thumb thunder tiara ticket tide tiger timber tin tissue tomato tonic tooth topaz
tornado toucan towel town tractor trader traffic trail transit trapeze tray tree trio trolley
trophy trout truck truffle trumpet tuba tulip tundra tunnel turban turkey turnip turtle tutor
twelve twenty twig twist umpire unicorn uniform unit valve vanilla vapor vase vault vector
velvet verse victory video village vintage vinyl viola vitamin vivid volcano volume voyage
vulture waffle wagon waiter walkway walnut walrus waltz wasp wedding whale wharf wheat wheel
whisker widget wind winter wolf wombat wonder wool world worm wreath wrench wrist yacht year
yellow yogurt yoke zebra zero zigzag zinc zipper
`)
